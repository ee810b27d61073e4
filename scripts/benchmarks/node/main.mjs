// main.mjs - the rows of the benchmark, done with Node.js: async functions,
// promises and async iterators.
//
//     node --expose-gc scripts/benchmarks/node/main.mjs ROW OPS TASKS
//
// A task is a call of an async function, joined by awaiting its promise;
// channels are channel.mjs. `await null` is how one yields to the other async
// functions: it goes through the queue of microtasks, and not to the event loop.
import { setTimeout as sleep } from "node:timers/promises";
import { Channel } from "./channel.mjs";
import { main, resident, sum } from "./harness.mjs";

const rows = {};

// Calls fn(i) n times and waits for all.
const all = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));

rows.yield = async (b) => {
  const each = b.share(b.tasks);
  let count = 0;
  await all(b.tasks, async () => {
    await b.meet();
    for (let i = 0; i < each; i++) await null;
    count += each;
    b.part();
  });
  return [count, b.ops];
};

// The body awaits once, else it would be done within the call.
rows.spawn = async (b) => {
  let ended = 0;
  const body = async () => {
    await null;
    ended++;
  };
  for (let i = 0; i < b.ops; i++) await body();
  return [ended, b.ops];
};

rows.pingpong = async (b) => {
  const there = new Channel(), back = new Channel();
  let total = 0;
  await all(2, async (i) => {
    await b.meet();
    if (i === 0) {
      for (let v = 1; v <= b.ops; v++) {
        await there.send(v);
        const { value } = await back.next();
        if (value !== v) throw new Error(`${value} is not ${v}`);
      }
      there.close();
    } else {
      for await (const v of there) {
        total += v;
        await back.send(v);
      }
    }
    b.part();
  });
  return [total, sum(b.ops)];
};

// `senders` tasks send, `receivers` receive, over one channel.
const flow = (capacity, senders, receivers) => async (b) => {
  const each = b.share(senders), ch = new Channel(capacity);
  let total = 0, left = senders;
  await all(senders + receivers, async (i) => {
    await b.meet();
    if (i < senders) {
      for (let v = 1; v <= each; v++) await ch.send(v);
      if (--left === 0) ch.close();
    } else {
      for await (const v of ch) total += v;
    }
    b.part();
  });
  return [total, senders * sum(each)];
};

rows.stream = flow(0, 1, 1);
rows.buffered = flow(100, 1, 1);
rows.mpmc = flow(0, 4, 4);

// Promise.race over the next value of each channel; the promises that lost
// stay, and take part in the next race.
const selectOver = (k) => async (b) => {
  const each = b.share(k);
  const channels = Array.from({ length: k }, () => new Channel());
  let total = 0;
  await all(k + 1, async (i) => {
    await b.meet();
    if (i < k) {
      for (let v = 1; v <= each; v++) await channels[i].send(v);
    } else {
      const next = (c) => channels[c].next().then(({ value }) => ({ c, value }));
      const promises = channels.map((_, c) => next(c));
      for (let n = 0; n < b.ops; n++) {
        const { c, value } = await Promise.race(promises);
        total += value;
        promises[c] = next(c);
      }
    }
    b.part();
  });
  return [total, k * sum(each)];
};

rows.select2 = selectOver(2);
rows.select8 = selectOver(8);
rows.select64 = selectOver(64);

// A channel for each of k subscribers.
const broadcastTo = (k) => async (b) => {
  const each = b.share(k);
  const channels = Array.from({ length: k }, () => new Channel(16));
  let total = 0;
  b.tasks = k + 1;
  await all(k + 1, async (i) => {
    await b.meet();
    if (i < k) {
      for await (const v of channels[i]) total += v;
    } else {
      for (let v = 1; v <= each; v++) {
        for (const ch of channels) await ch.send(v);
      }
      for (const ch of channels) ch.close();
    }
    b.part();
  });
  return [total, k * sum(each)];
};

rows.broadcast10 = broadcastTo(10);
rows.broadcast1000 = broadcastTo(1000);

rows.timer = async (b) => {
  let count = 0;
  for (let i = 0; i < b.ops; i++) {
    clearTimeout(setTimeout(() => {}, 60000));
    count++;
  }
  return [count, b.ops];
};

// A deadline around an async call that is done at once.
rows.timeout = async (b) => {
  const same = async (v) => v;
  const within = async (ms, promise) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("timeout")), ms);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  let total = 0;
  for (let i = 1; i <= b.ops; i++) total += await within(60000, same(i));
  return [total, sum(b.ops)];
};

// A number and the promises of those who wait.
class Semaphore {
  constructor(free) {
    Object.assign(this, { free, waiting: [] });
  }

  async acquire() {
    if (this.free > 0) this.free--;
    else await new Promise((resolve) => { this.waiting.push(resolve); });
  }

  release() {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

rows.semaphore = async (b) => {
  const permits = new Semaphore(4);
  let count = 0;
  for (let i = 0; i < b.ops; i++) {
    await permits.acquire();
    count++;
    permits.release();
  }
  return [count, b.ops];
};

rows.generator = async (b) => {
  async function* values() {
    for (let i = 1; i <= b.ops; i++) yield i;
  }
  let last = 0;
  for await (const v of values()) last = v;
  return [last, b.ops];
};

// b.ops tasks asleep under one AbortSignal.
rows.cancel = async (b) => {
  const controller = new AbortController(), { signal } = controller;
  (await import("node:events")).setMaxListeners(0, signal);
  let woken = 0, cancelled = 0;
  const tasks = Array.from({ length: b.ops }, async () => {
    try {
      await sleep(3600000, undefined, { signal });
      woken++;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      cancelled++;
    }
  });
  b.start();
  controller.abort();
  await Promise.all(tasks);
  b.stop();
  return [cancelled - woken, b.ops];
};

rows.sleepers = async (b) => {
  let woken = 0;
  await all(b.ops, async () => {
    await sleep(b.ops / 100);
    woken++;
  });
  return [woken, b.ops];
};

// Async functions that await one promise: resident bytes for each.
rows.parked = async (b) => {
  const before = resident();
  let open, woken = 0;
  const gate = new Promise((resolve) => { open = resolve; });
  const tasks = [];
  for (let i = 0; i < b.ops; i++) {
    tasks.push((async () => {
      await gate;
      woken++;
    })());
  }
  b.bytes = (resident() - before) / b.ops;
  open();
  await Promise.all(tasks);
  return [woken, b.ops];
};

await main(rows, ["sleepers", "parked", "cancel"]);
