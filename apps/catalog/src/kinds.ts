import {
  declaredAccount,
  declaredConsumer,
  declaredModel,
  declaredPolicy,
  declaredTrustEntry,
  declaredUpstream,
} from '@sallyport/contracts';
import type { z } from 'zod';
import { NamedTable } from './store/named-table';

/** One kind of object that is a name and a document. */
export interface Kind<Schema extends z.ZodType<{ name: string }> = z.ZodType<{ name: string }>> {
  /** Its list in the declarative document. */
  readonly list: KindList;
  /** Its place in the admin API. */
  readonly path: string;
  /** In sentences and audit records. */
  readonly noun: string;
  readonly schema: Schema;
  readonly table: NamedTable<Omit<z.output<Schema>, 'name'>>;
}

type KindList = 'upstreams' | 'policies' | 'consumers' | 'models' | 'accounts' | 'trust';

function kind<Schema extends z.ZodType<{ name: string }>>(
  list: KindList,
  noun: string,
  table: string,
  schema: Schema,
  path: string = list,
): Kind<Schema> {
  return { list, path, noun, schema, table: new NamedTable(table) };
}

export const upstreams = kind('upstreams', 'upstream', 'upstream', declaredUpstream);
export const policies = kind('policies', 'policy', 'policy', declaredPolicy);
export const consumers = kind('consumers', 'consumer', 'consumer', declaredConsumer);
export const models = kind('models', 'model', 'virtual_model', declaredModel);
export const accounts = kind('accounts', 'account', 'provider_account', declaredAccount);
export const trust = kind('trust', 'trust entry', 'trust_entry', declaredTrustEntry, 'trust-entries');

/** Every kind, in the order in which a document is applied: what is named comes before what names it. */
export const kinds = [upstreams, policies, consumers, accounts, models, trust] as unknown as readonly Kind[];
