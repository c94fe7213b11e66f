import { adminClient, didYouMean, MOST_ITEMS, type AdminClient } from '../admin-client';
import type { Command, Invocation } from '../command-line';
import { exitCodes, Failure, usageFailure } from '../failure';
import { dayOf, listing, plain } from '../output';

const PATH = '/api/auth/v1/keys';
const DRY_RUN = { name: 'dry-run', summary: 'Show what would be done, and do nothing.' };

/** A key as the admin API shows it; only the answer that made it has the key itself. */
export interface KeyView {
  readonly kid: string;
  readonly name: string;
  readonly consumer: string;
  readonly services: readonly string[];
  readonly models: readonly string[];
  readonly rate: { readonly limit: number; readonly window: string };
  readonly budgetUsdPerMonth: string;
  readonly lastFour: string;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly expiresAt: string;
}

export const keyCreate: Command = {
  name: 'key create',
  summary: 'Mint an API key. It is printed once, alone on standard output, and stored nowhere.',
  operands: ['NAME'],
  options: [
    { name: 'consumer', value: 'NAME', summary: 'Whose limits count; default: the name of the key.' },
    { name: 'service', value: 'NAME', many: true, summary: 'A service it may call; default: every one.' },
    { name: 'model', value: 'NAME', many: true, summary: 'A model it may call; default: every one.' },
    { name: 'scope', value: 'NAME', many: true, summary: 'A scope it is granted.' },
    { name: 'cidr', value: 'RANGE', many: true, summary: 'A range its callers must come from; default: anywhere.' },
    { name: 'limit', value: 'COUNT', summary: 'Requests a window; default: 60.' },
    { name: 'window', value: 'DURATION', summary: 'Window of the limit; default: 60s.' },
    { name: 'budget', value: 'USD', summary: 'Dollars a month; default: 5.' },
    { name: 'expires', value: 'DURATION', summary: 'Life from now, at most 365d; default: 90d.' },
    DRY_RUN,
  ],
  examples: [
    'key create demo --model echo --limit 60 --window 1m',
    'key create billing --consumer finance --service orders --budget 12.50 --expires 30d',
  ],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const wish = wishOf(invocation);
    if (invocation.has('dry-run')) {
      const key = await admin.post<KeyView>(`${PATH}?dryRun=true`, wish);
      output.result({ dryRun: true, key }, `dry run: would create key ${key.name}: ${termsOf(key)}`);
      return exitCodes.done;
    }
    const minted = await admin.post<KeyView & { readonly key: string }>(PATH, wish);
    output.note(`key ${minted.name} (kid ${minted.kid}), shown once: ${termsOf(minted)}`);
    output.result(minted, minted.key);
    return exitCodes.done;
  },
};

export const keyList: Command = {
  name: 'key list',
  summary: 'List API keys, newest first; the keys themselves are not known to anyone.',
  operands: [],
  options: [
    { name: 'consumer', value: 'NAME', summary: 'Only keys of this consumer.' },
    { name: 'status', value: 'STATUS', summary: 'Only keys that are active, expired or revoked.' },
  ],
  examples: ['key list', 'key list --status active --json'],
  async run(invocation, world, output) {
    const status = invocation.text('status');
    const known = ['active', 'expired', 'revoked'];
    if (status !== undefined && !known.includes(status)) {
      throw usageFailure(`--status is ${known.join(', ')}, not “${status}”.${didYouMean(status, known)}`);
    }
    const admin = adminClient(invocation.text('server'), world);
    const narrower = 'sallyport key list --status active --consumer NAME';
    const listed = await keys(admin, { status, consumer: invocation.text('consumer') }, narrower);
    if (listed.length === 0) output.note('no keys; make one: sallyport key create demo');
    const rows = listed.map((key) => [
      key.name,
      key.kid,
      key.lastFour,
      key.consumer,
      key.status,
      `${key.rate.limit}/${key.rate.window}`,
      `${key.budgetUsdPerMonth} USD`,
      dayOf(key.expiresAt),
    ]);
    const head = ['NAME', 'KID', 'LAST 4', 'CONSUMER', 'STATUS', 'LIMIT', 'MONTHLY', 'EXPIRES'];
    output.result({ items: listed }, ...listing(head, rows));
    return exitCodes.done;
  },
};

export const keyRevoke: Command = {
  name: 'key revoke',
  summary: 'Revoke an API key for good, by its kid or its name.',
  operands: ['KID|NAME'],
  options: [DRY_RUN],
  examples: ['key revoke demo', 'key revoke 7QmX2aB9cDe --dry-run'],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const [asked = ''] = invocation.operands;
    const { kid } = await findKey(admin, asked);
    const dryRun = invocation.has('dry-run');
    const key = dryRun ? await admin.get<KeyView>(`${PATH}/${kid}`) : await admin.delete<KeyView>(`${PATH}/${kid}`);
    const done = dryRun ? 'dry run: would revoke' : 'revoked';
    output.result(dryRun ? { dryRun, key } : key, `${done} key ${key.name} (kid ${key.kid})`);
    return exitCodes.done;
  },
};

function wishOf(invocation: Invocation) {
  const limit = invocation.whole('limit', { from: 1, to: 1_000_000 });
  const window = invocation.text('window');
  const list = (name: string) => (invocation.has(name) ? invocation.texts(name) : undefined);
  return {
    name: invocation.operands[0]!,
    consumer: invocation.text('consumer'),
    services: list('service'),
    models: list('model'),
    scopes: list('scope'),
    cidrs: list('cidr'),
    rate: limit === undefined && window === undefined ? undefined : { limit: limit ?? 60, window },
    budgetUsdPerMonth: invocation.text('budget'),
    expiresIn: invocation.text('expires'),
  };
}

/**
 * @param next what to try when there are more than a list shows
 * @throws Failure (1) then: what is not on the list must not seem not to be there.
 */
async function keys(
  admin: AdminClient,
  query: { readonly status?: string; readonly consumer?: string },
  next: string,
): Promise<KeyView[]> {
  const listed: KeyView[] = [];
  const all = admin.all<KeyView>(PATH, query);
  let step = await all.next();
  for (; !step.done; step = await all.next()) listed.push(step.value);
  if (step.value) return listed;
  throw new Failure(`There are more than ${MOST_ITEMS} keys.`, { exitCode: exitCodes.failed, next });
}

/** An id is asked for by itself: the list may be long. */
async function keyOfId(admin: AdminClient, asked: string): Promise<KeyView | undefined> {
  if (!/^[0-9A-Za-z]{11}$/.test(asked)) return undefined;
  try {
    return await admin.get<KeyView>(`${PATH}/${asked}`);
  } catch (error) {
    if (error instanceof Failure && error.facts.code === 'AUTH_KEY_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Names of active keys are unique; where none is active, the newest of the name is meant, so that revoking twice is no error.
 * @throws Failure (1) with the nearest name.
 */
async function findKey(admin: AdminClient, asked: string): Promise<KeyView> {
  const meant = await keyOfId(admin, asked);
  if (meant) return meant;
  const listed = await keys(admin, {}, 'name the key by its kid');
  const named = listed.filter(({ name }) => name === asked);
  const found = named.find(({ status }) => status === 'active') ?? named[0];
  if (found) return found;
  const active = listed.filter(({ status }) => status === 'active').map(({ name }) => name);
  throw new Failure(`There is no key ${plain(asked)}.${didYouMean(asked, active)}`, {
    exitCode: exitCodes.failed,
    code: 'AUTH_KEY_NOT_FOUND',
    next: 'sallyport key list',
  });
}

function termsOf({ rate, budgetUsdPerMonth, expiresAt }: KeyView): string {
  return `${rate.limit} requests per ${rate.window}, ${budgetUsdPerMonth} USD a month, expires ${dayOf(expiresAt)}`;
}
