import type { EntityManager } from 'typeorm';
import type { Configuration, Entry } from './configuration';
import { accounts, consumers, defaults, models, policies, trust, upstreams } from './kinds';
import type { NamedRow } from './store/named-table';
import { versions } from './store/services';
import { declaredOf } from './views';

/** Reads everything a snapshot is made of, as this transaction sees it. One statement at a time: a client has one wire. */
export async function loadConfiguration(manager: EntityManager): Promise<Configuration> {
  return {
    versions: await versions.all(manager),
    defaults: (await defaults.table.all(manager)).map(entryOf),
    upstreams: (await upstreams.table.all(manager)).map(entryOf),
    policies: (await policies.table.all(manager)).map(entryOf),
    consumers: (await consumers.table.all(manager)).map(entryOf),
    models: (await models.table.all(manager)).map(entryOf),
    accounts: (await accounts.table.all(manager)).map(entryOf),
    trust: (await trust.table.all(manager)).map(entryOf),
  };
}

function entryOf<Spec extends object>(row: NamedRow<Spec>): Entry<Spec & { name: string }> {
  return { tenant: row.tenant, declared: declaredOf(row) };
}
