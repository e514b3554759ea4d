// The tables of store/migrations that these events fill, with their keys and the index by instance.
import { index, onchainTable, primaryKey } from "ponder";

export const event = onchainTable(
  "event",
  (t) => ({
    blockNumber: t.bigint().notNull(),
    logIndex: t.integer().notNull(),
    blockHash: t.hex().notNull(),
    txHash: t.hex().notNull(),
    kind: t.text().notNull(),
    instanceId: t.hex(),
    topics: t.hex().array().notNull(),
    data: t.hex().notNull(),
  }),
  (table) => ({
    pk: primaryKey({ columns: [table.blockNumber, table.logIndex] }),
    byInstance: index().on(table.instanceId, table.blockNumber, table.logIndex),
  }),
);

export const heartbeat = onchainTable(
  "heartbeat",
  (t) => ({
    instanceId: t.hex().notNull(),
    blockNumber: t.bigint().notNull(),
    logIndex: t.integer().notNull(),
    time: t.integer().notNull(),
  }),
  (table) => ({ pk: primaryKey({ columns: [table.instanceId, table.blockNumber, table.logIndex] }) }),
);

export const service = onchainTable("service", (t) => ({
  serviceKey: t.hex().primaryKey(),
  namespaceId: t.hex().notNull(),
  name: t.text().notNull(),
  count: t.bigint().notNull(),
  sequence: t.bigint().notNull(),
}));

export const instance = onchainTable("instance", (t) => ({
  instanceId: t.hex().primaryKey(),
  serviceKey: t.hex().notNull(),
  label: t.text().notNull(),
  registrant: t.hex().notNull(),
  version: t.text().notNull(),
  endpoints: t.hex().array().notNull(),
  metadata: t.hex().notNull(),
  prevRecordHash: t.hex().notNull(),
  registeredBlock: t.bigint().notNull(),
  updatedBlock: t.bigint().notNull(),
}));

export const live = onchainTable("live", (t) => ({
  instanceId: t.hex().primaryKey(),
  owner: t.hex().notNull(),
  lastHeartbeat: t.integer().notNull(),
  ttl: t.integer().notNull(),
  epoch: t.integer().notNull(),
}));
