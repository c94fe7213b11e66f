import { randomBytes } from 'node:crypto';
import { formatUsd } from '@sallyport/contracts';
import { startFakeVendor, VENDOR_USAGE, VENDOR_WORDS, type FakeVendor } from '@sallyport/testkit';
import OpenAI, { APIUserAbortError, AuthenticationError, NotFoundError, RateLimitError } from 'openai';
import { expectStatus } from './calls';
import type { MintedKey, Product, ProductOptions } from './product';
import { PATIENCE_MS, until, within } from './waiting';

/** The provider's real key. It lives in the environment of one process and must turn up nowhere else. */
export const vendorKey = `sk-canary-${randomBytes(18).toString('hex')}`;

export const chatOptions: ProductOptions = { only: { 'ai-router': { E2E_VENDOR_KEY: vendorKey } } };

/** Picodollars a token; a price is dollars per million of them, so that the two differ by their unit only. */
const INPUT = 150_001n;
const OUTPUT = 600_007n;
const price = { inputPerMillion: formatUsd(INPUT * 1_000_000n), outputPerMillion: formatUsd(OUTPUT * 1_000_000n) };
const cost = formatUsd(BigInt(VENDOR_USAGE.prompt_tokens) * INPUT + BigInt(VENDOR_USAGE.completion_tokens) * OUTPUT);

interface Receipt {
  readonly attempt: number;
  readonly provider: string;
  readonly outcome: string;
  readonly consumer: string;
  readonly cost: string | null;
  readonly unpriced: boolean;
  readonly usage: { readonly source: string; readonly input: number; readonly output: number };
}

const ask = (model: string) => ({ model, messages: [{ role: 'user' as const, content: 'hello' }] });

/** The real `openai` client against a vendor on loopback, which keeps its own bill. */
export function describeChat(product: () => Product): void {
  let vendor: FakeVendor;
  let broken: FakeVendor;
  let minted: MintedKey;
  let client: OpenAI;

  /** Comes again after a 503, as it does for everybody: on a slow machine a consult misses its budget now and then. */
  const clientWith = (apiKey: string, maxRetries = 4) =>
    new OpenAI({ apiKey, baseURL: `${product().ingressUrl}/v1`, maxRetries, timeout: PATIENCE_MS });

  beforeAll(async () => {
    [vendor, broken] = await Promise.all([startFakeVendor(), startFakeVendor()]);
    const key = '${env:E2E_VENDOR_KEY}';
    const account = (name: string, { baseUrl }: FakeVendor) => ({
      name,
      provider: name,
      baseUrl,
      allowPrivate: true,
      key,
    });
    const target = { account: 'vendor', model: 'small-1' };
    await product().publish({
      accounts: [account('vendor', vendor), account('broken', broken)],
      models: [
        { name: 'priced', fallback: [{ ...target, price }] },
        { name: 'unpriced', fallback: [target] },
        {
          name: 'fallback',
          fallback: [
            { account: 'broken', model: 'large-1', price },
            { ...target, price },
          ],
        },
      ],
    });
    minted = await product().apiKey({ name: 'chat' });
    client = clientWith(minted.key);
  });
  afterAll(() => Promise.all([vendor?.close(), broken?.close()]));

  async function receiptsOf(requestId: string, count = 1): Promise<Receipt[]> {
    return until(`${count} receipts of ${requestId}`, async () => {
      const answer = expectStatus(await product().admin(`/api/ai/v1/receipts?request=${requestId}`), 200);
      const { items } = answer.json<{ items: Receipt[] }>();
      return items.length >= count && items.sort((one, other) => one.attempt - other.attempt);
    });
  }

  /** @returns the id by which the gateway knows the request */
  async function complete(model: string): Promise<{ text: string | null; requestId: string }> {
    const { data, response } = await client.chat.completions.create(ask(model)).withResponse();
    return {
      text: data.choices[0]!.message.content,
      requestId: response.headers.get('x-sallyport-request-id')!,
    };
  }

  it('completes a chat, with the usage and the cost exact to the last digit', async () => {
    const { text, requestId } = await complete('priced');
    expect(text).toBe(VENDOR_WORDS.join(''));
    const [receipt] = await receiptsOf(requestId);
    expect(receipt).toMatchObject({ consumer: 'chat', provider: 'vendor', outcome: 'ok', unpriced: false, cost });
    expect(receipt!.usage).toMatchObject({
      source: 'reported',
      input: VENDOR_USAGE.prompt_tokens,
      output: VENDOR_USAGE.completion_tokens,
    });
    expect((await product().recordOf(requestId)).unmapped.sallyport).toMatchObject({ cost_usd: cost, model: 'priced' });
  });

  it('records a call of a model without a price as unpriced, not as free', async () => {
    const { requestId } = await complete('unpriced');
    expect((await receiptsOf(requestId))[0]).toMatchObject({ unpriced: true, cost: null });
    expect((await product().recordOf(requestId)).unmapped.sallyport).toMatchObject({ cost_usd: null, unpriced: true });
  });

  it('gives the vendor its own key, and never ours', async () => {
    const before = vendor.requests.length;
    await complete('priced');
    const [request] = vendor.requests.slice(before);
    expect(request!.headers['authorization']).toBe(`Bearer ${vendorKey}`);
    expect(JSON.stringify(request)).not.toContain(minted.key);
    expect(JSON.parse(request!.body)).toMatchObject({ model: 'small-1' });
  });

  it('streams: the caller reads the first words while the vendor still holds back the others', async () => {
    vendor.script({ fault: 'stall', afterEvents: 3 });
    const count = vendor.requests.length;
    const stream = await client.chat.completions.create({ ...ask('priced'), stream: true });
    const heard: string[] = [];
    const leave = async () => {
      for await (const chunk of stream) {
        heard.push(chunk.choices[0]?.delta.content ?? '');
        if (heard.join('') === VENDOR_WORDS.slice(0, 2).join('')) stream.controller.abort();
      }
    };
    await within(PATIENCE_MS, 'two words arrive', leave()).catch((error: unknown) => {
      if (!(error instanceof APIUserAbortError)) throw error;
    });
    expect(heard.join('')).toBe(VENDOR_WORDS.slice(0, 2).join(''));
    await within(PATIENCE_MS, 'the vendor sees its caller leave', vendor.requests[count]!.aborted);
  });

  it('streams to the end, with the usage where it was asked for', async () => {
    const { data: stream, response } = await client.chat.completions
      .create({ ...ask('priced'), stream: true, stream_options: { include_usage: true } })
      .withResponse();
    let text = '';
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(VENDOR_WORDS.join(''));
    expect(usage).toMatchObject(VENDOR_USAGE);
    expect((await receiptsOf(response.headers.get('x-sallyport-request-id')!))[0]).toMatchObject({ cost });
  });

  it('ends the call of the vendor when the caller aborts before anything has come', async () => {
    vendor.script({ fault: 'never-answer' });
    const count = vendor.requests.length;
    const leaving = new AbortController();
    const call = client.chat.completions
      .create(ask('priced'), { signal: leaving.signal })
      .catch((error: unknown) => error);
    await within(PATIENCE_MS, 'the vendor is called', vendor.received(count + 1));
    leaving.abort();
    expect(await call).toBeInstanceOf(APIUserAbortError);
    await within(PATIENCE_MS, 'the vendor sees its caller leave', vendor.requests[count]!.aborted);
  });

  it('lists the models a key may use, and no others', async () => {
    const few = await product().apiKey({ name: 'few', models: ['priced'] });
    const names = async (api: OpenAI) => (await api.models.list()).data.map(({ id }) => id);
    expect(await names(client)).toEqual(expect.arrayContaining(['echo', 'fallback', 'priced', 'unpriced']));
    expect(await names(clientWith(few.key))).toEqual(['priced']);
  });

  it('falls back to the second target when the first fails before it has said anything', async () => {
    broken.script({ status: 500, errorBody: '{"error":{"message":"out of order"}}' });
    const { text, requestId } = await complete('fallback');
    expect(text).toBe(VENDOR_WORDS.join(''));
    expect(await receiptsOf(requestId, 2)).toMatchObject([
      { attempt: 1, provider: 'broken', outcome: 'upstream_error' },
      { attempt: 2, provider: 'vendor', outcome: 'ok', cost },
    ]);
  });

  it('throws an AuthenticationError for a key that is none of ours', async () => {
    const call = clientWith('sp_live_wrong').chat.completions.create(ask('priced'));
    await expect(call).rejects.toBeInstanceOf(AuthenticationError);
  });

  it('throws a NotFoundError with its code for a model that does not exist', async () => {
    const error: unknown = await client.chat.completions.create(ask('nobody')).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('throws a RateLimitError above the limit of the key', async () => {
    const limit = 3;
    const { key } = await product().apiKey({ name: 'slow', rate: { limit, window: '24h' } });
    const slow = clientWith(key, 0);
    // One is spent by whoever waited for the key.
    let served = 1;
    const error = await until('a refusal', async () => {
      const outcome: unknown = await slow.chat.completions.create(ask('priced')).catch((caught: unknown) => caught);
      if (outcome instanceof Error) return outcome;
      served++;
      return undefined;
    });
    expect(error).toBeInstanceOf(RateLimitError);
    expect(served).toBeLessThanOrEqual(limit);
  });
}
