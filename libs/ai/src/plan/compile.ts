import { createHash } from 'node:crypto';
import { aiV1, type Snapshot, type SnapshotAccount, type SnapshotModel } from '@sallyport/contracts';
import { compilePrice, FREE, UNPRICED } from '../prices/row';
import type { UpstreamOrigin } from '@sallyport/proxy';
import { originOf } from '../wires/openai-chat/call';
import { ECHO_MODEL, ECHO_SLOW_MODEL } from '../wires/echo/echo';

/** A virtual model, ready to be answered from: nothing is worked out on the request path. */
export interface CompiledModel {
  readonly name: string;
  /** Frozen, and shared by all requests. */
  readonly streamed: aiV1.RoutePlan;
  readonly plain: aiV1.RoutePlan;
}

/** The models of one revision, by tenant and name; the built-in ones are every tenant's. */
export interface ModelTable {
  readonly revision: string;
  /** False before any configuration has come: then a model that is not here may exist all the same. */
  readonly complete: boolean;
  find(tenant: string, name: string): CompiledModel | undefined;
  /** In the order of their names. */
  list(tenant: string): readonly CompiledModel[];
  /** Accounts that need a credential: where a process that may resolve it finds it. */
  readonly credentials: readonly CredentialReference[];
  /** Where its targets are, for whoever keeps connections to them. */
  readonly origins: readonly UpstreamOrigin[];
}

export interface CredentialReference {
  /**
   * What plans and leases call it: another one for another host or another reference, so that a key is never sent to a
   * host it was not meant for while a configuration changes, or one process has the new one and another has not.
   */
  readonly id: string;
  /** What people call it: tenant and name of the account. */
  readonly account: string;
  /** `${env:NAME}` or `${file:/path}` */
  readonly reference: string;
}

/** A model names an account that is not there; the catalog refuses such a document, so the snapshot is not to be run. */
export class PlanCompileError extends Error {
  constructor(
    /** JSON Pointer into the snapshot. */
    readonly pointer: string,
    message: string,
  ) {
    super(`${pointer}: ${message}`);
    this.name = 'PlanCompileError';
  }
}

const MAX_BYTES = 64n * 1024n * 1024n;
const STREAMED: aiV1.Timeouts = Object.freeze({
  connectMs: 3_000,
  headMs: 15_000,
  firstContentMs: 60_000,
  idleMs: 60_000,
  totalMs: 900_000,
  maxBytes: MAX_BYTES,
});
/** Not streamed, the head comes when the answer is complete. */
const PLAIN: aiV1.Timeouts = Object.freeze({ ...STREAMED, headMs: 300_000, firstContentMs: 300_000 });

const ECHO_ACCOUNT = 'echo';
const NONE: ReadonlyMap<string, CompiledModel> = new Map();

function accountId({ tenant, name }: Pick<SnapshotAccount, 'tenant' | 'name'>): string {
  return `${tenant}/${name}`;
}

/** The id under which plans and leases know the credential of an account; empty where it has none. */
function credentialId(account: SnapshotAccount): string {
  const { key, baseUrl } = account;
  if (key === null) return '';
  const host = baseUrl === null ? '' : new URL(baseUrl).origin;
  const meant = createHash('sha256').update(`${host} ${key}`).digest('hex').slice(0, 16);
  return `${accountId(account)}@${meant}`;
}

/** @throws PlanCompileError */
export function compileModels(snapshot: Pick<Snapshot, 'revision' | 'models' | 'accounts'>): ModelTable {
  const { revision } = snapshot;
  const accounts = new Map(snapshot.accounts.map((account) => [accountId(account), account]));
  const tenants = new Map<string, Map<string, CompiledModel>>();
  for (const [index, model] of snapshot.models.entries()) {
    const models = tenants.get(model.tenant) ?? new Map<string, CompiledModel>();
    models.set(model.name, compileModel(revision, model, accounts, `/models/${index}`));
    tenants.set(model.tenant, models);
  }
  return new Table(
    revision,
    true,
    tenants,
    builtIn(revision),
    credentialsOf(snapshot.accounts),
    originsOf(snapshot.accounts),
  );
}

/** What can be served before any configuration has come. */
export function builtInModels(): ModelTable {
  return new Table('c_0', false, new Map(), builtIn('c_0'), [], []);
}

class Table implements ModelTable {
  constructor(
    readonly revision: string,
    readonly complete: boolean,
    private readonly tenants: ReadonlyMap<string, ReadonlyMap<string, CompiledModel>>,
    private readonly everywhere: ReadonlyMap<string, CompiledModel>,
    readonly credentials: readonly CredentialReference[],
    readonly origins: readonly UpstreamOrigin[],
  ) {}

  find(tenant: string, name: string): CompiledModel | undefined {
    return this.tenants.get(tenant)?.get(name) ?? this.everywhere.get(name);
  }

  list(tenant: string): readonly CompiledModel[] {
    const models = new Map([...this.everywhere, ...(this.tenants.get(tenant) ?? NONE)]);
    return [...models.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}

function compileModel(
  revision: string,
  model: SnapshotModel,
  accounts: ReadonlyMap<string, SnapshotAccount>,
  pointer: string,
): CompiledModel {
  const attempts = model.targets.map((target, index) => {
    const account = accounts.get(accountId({ tenant: model.tenant, name: target.account }));
    const where = `${pointer}/targets/${index}/account`;
    if (!account) throw new PlanCompileError(where, `there is no account “${target.account}”`);
    return compileAttempt(index + 1, account, target, where);
  });
  return freezePlans(revision, model.name, attempts);
}

function compileAttempt(
  n: number,
  account: SnapshotAccount,
  target: SnapshotModel['targets'][number],
  pointer: string,
): Omit<aiV1.Attempt, 'timeouts'> {
  if (account.wire === 'echo') return { ...echoAttempt(target.model), n, provider: account.provider };
  if (account.baseUrl === null) throw new PlanCompileError(pointer, `the account “${account.name}” has no base URL`);
  return {
    n,
    provider: account.provider,
    model: target.model,
    wire: aiV1.Wire.WIRE_OPENAI_CHAT,
    url: `${account.baseUrl.replace(/\/+$/, '')}/chat/completions`,
    credential: credentialId(account),
    price: target.price === null ? UNPRICED : compilePrice(target.price),
    allowPrivate: account.allowPrivate,
  };
}

function echoAttempt(model: string): Omit<aiV1.Attempt, 'timeouts'> {
  const wire = aiV1.Wire.WIRE_ECHO;
  return { n: 1, provider: ECHO_ACCOUNT, model, wire, url: '', credential: '', price: FREE, allowPrivate: false };
}

function builtIn(revision: string): ReadonlyMap<string, CompiledModel> {
  const names = [ECHO_MODEL, ECHO_SLOW_MODEL];
  return new Map(names.map((name) => [name, freezePlans(revision, name, [echoAttempt(name)])]));
}

function freezePlans(
  revision: string,
  name: string,
  attempts: readonly Omit<aiV1.Attempt, 'timeouts'>[],
): CompiledModel {
  const planWith = (timeouts: aiV1.Timeouts): aiV1.RoutePlan =>
    Object.freeze({
      virtualModel: name,
      revision,
      attempts: attempts.map((attempt) => Object.freeze({ ...attempt, timeouts })),
      why: [],
    });
  return Object.freeze({ name, streamed: planWith(STREAMED), plain: planWith(PLAIN) });
}

function credentialsOf(accounts: readonly SnapshotAccount[]): readonly CredentialReference[] {
  return accounts
    .filter((account) => account.key !== null)
    .map((account) => ({ id: credentialId(account), account: accountId(account), reference: account.key! }));
}

function originsOf(accounts: readonly SnapshotAccount[]): readonly UpstreamOrigin[] {
  return accounts
    .filter(({ wire, baseUrl }) => wire === 'openai-chat' && baseUrl !== null)
    .map(({ baseUrl, allowPrivate }) => originOf(baseUrl!, allowPrivate, STREAMED.connectMs));
}
