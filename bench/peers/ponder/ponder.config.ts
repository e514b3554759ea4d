// The chain and the database are the environment's; run.mjs sets it.
import { readFileSync } from "node:fs";
import { createConfig } from "ponder";
import type { Abi } from "viem";

const need = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start it by run.mjs`);
  return value;
};
const artifact = JSON.parse(readFileSync(new URL("../../../contracts/abi/ServiceRegistry.json", import.meta.url), "utf8"));

export default createConfig({
  database: { kind: "postgres", connectionString: need("DATABASE_URL") },
  chains: {
    anvil: {
      id: 31337,
      // With one URL its rate limiter would be measured: it starts low and rises for each of them.
      rpc: Array(64).fill(need("RPC_URL")),
      ws: need("WS_URL"),
    },
  },
  contracts: {
    ServiceRegistry: {
      chain: "anvil",
      abi: artifact.abi as Abi,
      address: need("CONTRACT") as `0x${string}`,
      startBlock: Number(need("DEPLOY_BLOCK")),
    },
  },
});
