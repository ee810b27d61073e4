// harness.mjs - how a row is timed, checked and reported: ../harness.lua for
// Node.js.
import { readFileSync } from "node:fs";

export const sum = (n) => (n * (n + 1)) / 2;

// Nanoseconds of the monotonic clock, as seconds.
const clock = () => Number(process.hrtime.bigint()) * 1e-9;

const status = (field) =>
  Number(readFileSync("/proc/self/status", "utf8")
    .match(new RegExp(`${field}:\\s*(\\d+)`))[1]) * 1024;

// Resident bytes now; the collector is run where node has been given leave.
export function resident() {
  globalThis.gc?.();
  return status("VmRSS");
}

class Bench {
  constructor(ops, tasks) {
    Object.assign(this, { ops, tasks, here: 0 });
  }

  start() {
    this.began = clock();
    this.cpuBegan = process.cpuUsage();
  }

  // The first stop counts.
  stop() {
    if (this.ended !== undefined) return;
    this.ended = clock();
    const { user, system } = process.cpuUsage(this.cpuBegan);
    this.cpu = (user + system) * 1e-6;
  }

  // For each task of a row: waits for the others; the last starts the clock.
  async meet() {
    this.here++;
    if (this.here === this.tasks) this.start();
    while (this.here < this.tasks) await null;
  }

  // For each task when its work is done; the last stops the clock.
  part() {
    this.here++;
    if (this.here === 2 * this.tasks) this.stop();
  }

  // Shares the operations evenly among n.
  share(n) {
    const each = Math.floor(this.ops / n);
    this.ops = each * n;
    return each;
  }
}

async function run(row, name, ops, tasks) {
  const b = new Bench(ops, tasks);
  b.start();
  const [got, want] = await row(b);
  b.stop();
  if (got !== want) throw new Error(`${name}: computed ${got}, not ${want}`);
  return b;
}

// Runs the row that the command line names: ROW OPS TASKS.
export async function main(rows, cold) {
  const [name, ops, tasks] = [process.argv[2], +process.argv[3], +process.argv[4]];
  if (!cold.includes(name)) {
    await run(rows[name], name, Math.max(Math.floor(ops / 10), 10 * tasks), tasks);
  }
  globalThis.gc?.();
  const b = await run(rows[name], name, ops, tasks);
  const bytes = (b.bytes ?? status("VmHWM")).toFixed(1);
  console.log(`result ${name} ops=${b.ops} seconds=${(b.ended - b.began).toFixed(9)} ` +
    `cpu=${b.cpu.toFixed(9)} bytes=${bytes}`);
}
