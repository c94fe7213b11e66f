import { compileModels } from '@sallyport/ai';
import { routerSuiteConfiguration, routerSuiteSecret } from '../../../../libs/ai/src/router.suite';
import { Credentials, LEASE_MS } from './credentials';
import { LeaseBook } from './lease-book';

describe('LeaseBook', () => {
  const table = compileModels(routerSuiteConfiguration);
  const { plain } = table.find('default', 'gpt-4o')!;
  const ID = table.credentials.find(({ account }) => account === 'default/keyed')!.id;
  let now: number;
  let environment: Record<string, string>;
  let credentials: Credentials;
  let warned: string[];
  let book: LeaseBook;

  beforeEach(async () => {
    now = 1_000_000;
    warned = [];
    environment = { SUITE_KEY: routerSuiteSecret };
    const clock = { now: () => now, monotonic: () => now };
    const logger = { warn: (fields: { account: string }) => void warned.push(fields.account), info: () => undefined };
    credentials = new Credentials({
      environment: (name) => environment[name],
      dataDir: '/nowhere',
      clock,
      logger: logger as never,
    });
    await credentials.use(table.credentials);
    book = new LeaseBook(credentials, clock);
  });

  it('leases a credential with the first plan that names it, and again only when half its time is over', () => {
    expect(book.leasesFor(plain)).toMatchObject([
      { id: ID, generation: 1, secret: Buffer.from(routerSuiteSecret), expiresAtMs: BigInt(now + LEASE_MS) },
    ]);
    now += LEASE_MS / 2;
    expect(book.leasesFor(plain)).toEqual([]);
    now += 1;
    expect(book.leasesFor(plain)).toMatchObject([{ generation: 1, expiresAtMs: BigInt(now + LEASE_MS) }]);
  });

  it('leases a replaced credential at once, under the next generation', async () => {
    book.leasesFor(plain);
    environment['SUITE_KEY'] = 'another';
    await credentials.refresh();
    expect(book.leasesFor(plain)).toMatchObject([{ generation: 2, secret: Buffer.from('another') }]);
  });

  it('takes a credential back that is gone, once', async () => {
    book.leasesFor(plain);
    delete environment['SUITE_KEY'];
    await credentials.refresh();
    expect(book.renewals()).toMatchObject([{ id: ID, secret: Buffer.alloc(0) }]);
    expect(book.renewals()).toEqual([]);
  });

  it('holds what the configuration before needs until the credentials of the next are known', async () => {
    const next = compileModels({
      ...routerSuiteConfiguration,
      accounts: routerSuiteConfiguration.accounts.map((account) => ({
        ...account,
        baseUrl: 'https://next.example/v1',
      })),
    });
    const change = credentials.use(next.credentials);
    expect(credentials.lease(ID)).toBeDefined();
    await change;
    expect(credentials.lease(ID)).toBeUndefined();
    expect(credentials.lease(next.credentials[0]!.id)).toMatchObject({ secret: routerSuiteSecret });
  });

  it('complains of a missing credential once, however often it is looked for', async () => {
    await credentials.refresh();
    await credentials.refresh();
    expect(warned).toEqual(['default/keyless']);
  });
});
