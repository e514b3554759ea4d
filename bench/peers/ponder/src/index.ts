// The events that the crowd makes, to the rows that our indexer makes of them.
import { ponder } from "ponder:registry";
import { event as events, heartbeat, instance, live, service } from "ponder:schema";

const row = (kind: string, event: any) => ({
  blockNumber: event.block.number,
  logIndex: event.log.logIndex,
  blockHash: event.block.hash,
  txHash: event.transaction.hash,
  kind,
  instanceId: event.args.id,
  topics: event.log.topics.filter(Boolean),
  data: event.log.data,
});

ponder.on("ServiceRegistry:Registered", async ({ event, context }: any) => {
  const { id, service: serviceKey, owner, registration, time, epoch, sequence, count, prevRecordHash } = event.args;
  await context.db.insert(events).values(row("Registered", event));
  await context.db
    .insert(service)
    .values({ serviceKey, namespaceId: registration.namespaceId, name: registration.name, count, sequence })
    .onConflictDoUpdate({ count, sequence });
  await context.db.insert(instance).values({
    instanceId: id,
    serviceKey,
    label: registration.label,
    registrant: owner,
    version: registration.version,
    endpoints: [...registration.endpoints],
    metadata: registration.metadata,
    prevRecordHash,
    registeredBlock: event.block.number,
    updatedBlock: event.block.number,
  });
  await context.db.insert(live).values({ instanceId: id, owner, lastHeartbeat: time, ttl: registration.ttl, epoch });
});

ponder.on("ServiceRegistry:Updated", async ({ event, context }: any) => {
  const { id, service: serviceKey, version, endpoints, metadata, ttl, sequence, prevRecordHash } = event.args;
  await context.db.insert(events).values(row("Updated", event));
  await context.db.update(service, { serviceKey }).set({ sequence });
  await context.db
    .update(instance, { instanceId: id })
    .set({ version, endpoints: [...endpoints], metadata, prevRecordHash, updatedBlock: event.block.number });
  await context.db.update(live, { instanceId: id }).set({ ttl });
});

ponder.on("ServiceRegistry:Heartbeat", async ({ event, context }: any) => {
  const { id, time } = event.args;
  await context.db.insert(events).values(row("Heartbeat", event));
  const { number: blockNumber } = event.block;
  await context.db.insert(heartbeat).values({ instanceId: id, blockNumber, logIndex: event.log.logIndex, time });
  await context.db.update(live, { instanceId: id }).set({ lastHeartbeat: time });
});
