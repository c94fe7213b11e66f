import {
  declaredAccount,
  declaredConsumer,
  declaredDefault,
  declaredModel,
  declaredPolicy,
  declaredTrustEntry,
  declaredUpstream,
} from '@sallyport/contracts';
import type { Declarative } from '@sallyport/contracts';
import type { z } from 'zod';
import { NamedTable } from './store/named-table';

/** One kind of object that is a name and a document. */
export interface Kind<Schema extends z.ZodType<{ name: string }> = z.ZodType<{ name: string }>> {
  /** Its list in the declarative document; a default is a member of it. */
  readonly list: KindList;
  /** Its place in the admin API. */
  readonly path: string;
  /** In sentences and audit records. */
  readonly noun: string;
  readonly schema: Schema;
  readonly table: NamedTable<Omit<z.output<Schema>, 'name'>>;
}

type KindList = 'defaults' | 'upstreams' | 'policies' | 'consumers' | 'models' | 'accounts' | 'trust';

function kind<Schema extends z.ZodType<{ name: string }>>(
  list: KindList,
  noun: string,
  table: string,
  schema: Schema,
  path: string = list,
): Kind<Schema> {
  return { list, path, noun, schema, table: new NamedTable(table) };
}

export const defaults = kind('defaults', 'default', 'tenant_default', declaredDefault);
export const upstreams = kind('upstreams', 'upstream', 'upstream', declaredUpstream);
export const policies = kind('policies', 'policy', 'policy', declaredPolicy);
export const consumers = kind('consumers', 'consumer', 'consumer', declaredConsumer);
export const models = kind('models', 'model', 'virtual_model', declaredModel);
export const accounts = kind('accounts', 'account', 'provider_account', declaredAccount);
export const trust = kind('trust', 'trust entry', 'trust_entry', declaredTrustEntry, 'trust-entries');

/** Every kind, in the order in which a document is applied: what is named comes before what names it. */
export const kinds = [defaults, upstreams, policies, consumers, accounts, models, trust] as unknown as readonly Kind[];

/** An object of a kind in a document, and where it stands there. */
export interface Placed {
  readonly declared: { readonly name: string };
  /** JSON Pointer. */
  readonly place: string;
}

/** The objects of one kind that a document names. */
export function placedIn(document: Declarative, { list }: Pick<Kind, 'list'>): Placed[] {
  if (list !== 'defaults') return document[list].map((declared, at) => ({ declared, place: `/${list}/${at}` }));
  // The object of a default holds the member that the document has at its top.
  return document.waf ? [{ declared: { name: 'waf', waf: document.waf } as { name: string }, place: '' }] : [];
}
