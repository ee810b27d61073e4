// channel.mjs - a channel of promises, which Node has not: an async iterable.
// A send of a full channel, and every send of one with capacity 0, waits until
// a receiver has made room or taken the value.

// A queue that is fast at both ends.
class Queue {
  #items = [];
  #head = 0;

  get size() { return this.#items.length - this.#head; }

  push(item) { this.#items.push(item); }

  shift() {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

const end = { value: undefined, done: true };

export class Channel {
  #values = new Queue();
  #senders = new Queue(); // {value, resolve}
  #receivers = new Queue(); // resolve
  #closed = false;

  constructor(capacity = 0) { this.capacity = capacity; }

  // Undefined when it need not wait, else a promise: both can be awaited.
  send(value) {
    if (this.#receivers.size > 0) {
      this.#receivers.shift()({ value, done: false });
    } else if (this.#values.size < this.capacity) {
      this.#values.push(value);
    } else {
      return new Promise((resolve) => this.#senders.push({ value, resolve }));
    }
  }

  // The next value without waiting, or undefined.
  poll() {
    const sender = this.#senders.size > 0 ? this.#senders.shift() : undefined;
    sender?.resolve();
    if (this.#values.size === 0) return sender?.value;
    const value = this.#values.shift();
    if (sender) this.#values.push(sender.value);
    return value;
  }

  // A promise of {value, done}, as an iterator's.
  next() {
    const value = this.poll();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.#closed) return Promise.resolve(end);
    return new Promise((resolve) => this.#receivers.push(resolve));
  }

  close() {
    this.#closed = true;
    while (this.#receivers.size > 0) this.#receivers.shift()(end);
  }

  [Symbol.asyncIterator]() { return this; }
}
