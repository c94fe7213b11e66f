import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRefusal, refuse, systemClock, type Principal, type Refusal } from '@sallyport/contracts';
import { UpstreamPools } from '@sallyport/proxy';
import { startFakeVendor, VENDOR_WORDS, type FakeVendor } from '@sallyport/testkit';
import OpenAI from 'openai';
import {
  compileModels,
  completeChat,
  LocalRouter,
  openWires,
  readChatRequest,
  renderModelList,
  renderOpenAiRefusal,
  systemTimers,
  type ChatFacts,
  type ChatRequest,
  type Planned,
  type Wires,
} from '.';

const random = (count: number) => randomBytes(count);
const principal = { tenant: 'default', consumer: 'shop', models: ['vendor-*', 'echo', 'busy'] } as unknown as Principal;

/** The least a data door has to do around this lib. */
class Door {
  readonly finished: ChatFacts[] = [];
  private readonly server: Server = createServer((request, response) => this.handle(request, response));
  private readonly pools = new UpstreamPools();
  private readonly wires: Wires = openWires({ pools: this.pools, clock: systemClock, timers: systemTimers, random });
  private readonly router = new LocalRouter({ leases: { lease: () => undefined } });
  private heard: () => void = () => undefined;

  async open(vendor: FakeVendor): Promise<string> {
    const target = { account: 'vendor', model: 'vendor-small', price: null };
    const names = ['vendor-model', 'forbidden-model'];
    const models = names.map((name) => ({ tenant: 'default', name, class: 'public' as const, targets: [target] }));
    const { baseUrl } = vendor;
    const account = { name: 'vendor', provider: 'vendor', wire: 'openai-chat' as const, baseUrl };
    const accounts = [{ ...account, tenant: 'default', allowPrivate: true, key: null }];
    this.router.use(compileModels({ revision: 'c_1', models, accounts }));
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async untilFinished(count: number): Promise<void> {
    while (this.finished.length < count) await new Promise<void>((resolve) => (this.heard = resolve));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.pools.destroy();
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/v1/models') {
      response.setHeader('content-type', 'application/json');
      return void response.end(renderModelList(this.router.models('default', principal), 1_700_000_000));
    }
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => this.complete(Buffer.concat(parts), response));
  }

  private complete(body: Buffer, response: ServerResponse): void {
    const request = readChatRequest(body);
    if (isRefusal(request)) return refuseWith(request, response);
    if (request.model === 'busy') {
      const params = { policy: 'default', limit: 1, window: 60, seconds: 1 };
      return refuseWith(refuse('LIMIT_EXCEEDED', params, { retryAfterMs: 20 }), response);
    }
    const { model, stream, maxOutputTokens } = request;
    const question = {
      requestId: 'req_1',
      tenant: 'default',
      principal,
      model,
      stream,
      inputBytes: body.length,
      maxOutputTokens,
    };
    this.router.plan(question, (outcome) => {
      if (isRefusal(outcome)) refuseWith(outcome, response);
      else this.run(request, outcome, response);
    });
  }

  private run(request: ChatRequest, planned: Planned, response: ServerResponse): void {
    const run = completeChat({
      requestId: 'req_1',
      tenant: 'default',
      consumer: 'shop',
      credential: 'kid',
      request,
      planned,
      wires: this.wires,
      clock: systemClock,
      timers: systemTimers,
      random,
      client: {
        head: (status, fields) => void response.writeHead(status, fields),
        data: (chunk) => response.write(chunk),
        end: () => void response.end(),
      },
      onSettled: () => undefined,
      onFinished: (facts) => {
        this.finished.push(facts);
        this.heard();
      },
    });
    response.on('drain', () => run.drained());
    response.on('close', () => run.gone());
  }
}

function refuseWith(refusal: Refusal, response: ServerResponse): void {
  const { status, fields, body } = renderOpenAiRefusal(refusal, 'req_1');
  response.writeHead(status, fields).end(body);
}

describe('the openai client, as its vendor ships it', () => {
  let vendor: FakeVendor;
  let door: Door;
  let client: OpenAI;
  const messages = [{ role: 'user' as const, content: 'tell me something' }];
  const chat = { model: 'vendor-model', messages };

  beforeEach(async () => {
    vendor = await startFakeVendor();
    door = new Door();
    client = new OpenAI({ baseURL: await door.open(vendor), apiKey: 'sp_test_x', maxRetries: 0 });
  });
  afterEach(async () => {
    await door.close();
    await vendor.close();
  });

  async function failureOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
    const error = await call.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(OpenAI.APIError);
    return error as InstanceType<typeof OpenAI.APIError>;
  }

  it('completes a chat', async () => {
    const { data, response, request_id } = await client.chat.completions.create(chat).withResponse();
    expect(data.choices[0]!.message.content).toBe(VENDOR_WORDS.join(''));
    expect(data.usage?.total_tokens).toBe(18);
    expect(request_id).toBe('req_1');
    expect(response.headers.get('x-sallyport-provider')).toBe('vendor');
  });

  it('streams a chat, with usage when it asks for it', async () => {
    const stream = await client.chat.completions.create({
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let total: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      total = chunk.usage?.total_tokens ?? total;
    }
    expect(text).toBe(VENDOR_WORDS.join(''));
    expect(total).toBe(18);
  });

  it('meets a choice in every chunk when it did not ask for usage', async () => {
    for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) {
      expect(chunk.choices).toHaveLength(1);
    }
  });

  it('talks to echo without a vendor', async () => {
    const stream = await client.chat.completions.create({ ...chat, model: 'echo', stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('tell me something');
    expect(vendor.requests).toHaveLength(0);
  });

  it('lists the models it may use', async () => {
    const names: string[] = [];
    for await (const model of client.models.list()) names.push(model.id);
    expect(names).toEqual(['echo', 'vendor-model']);
  });

  it.each([
    ['nothing', 404, 'model_not_found', OpenAI.NotFoundError],
    ['forbidden-model', 403, 'model_not_allowed', OpenAI.PermissionDeniedError],
    ['busy', 429, 'rate_limit_exceeded', OpenAI.RateLimitError],
  ])('gets a typed error for the model %s', async (model, status, code, type) => {
    const error = await failureOf(client.chat.completions.create({ ...chat, model }));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ status, code, requestID: 'req_1' });
  });

  it('gets a typed error for a request that cannot be read, and one for a vendor that fails', async () => {
    const invalid = { ...chat, messages: 'x' } as unknown as typeof chat;
    const unreadable = await failureOf(client.chat.completions.create(invalid));
    expect(unreadable).toBeInstanceOf(OpenAI.BadRequestError);
    expect(unreadable.message).toContain('“messages” must be an array');
    vendor.script({ status: 500 });
    expect(await failureOf(client.chat.completions.create(chat))).toBeInstanceOf(OpenAI.InternalServerError);
  });

  it('tries again when that can help, and only then', async () => {
    const patient = client.withOptions({ maxRetries: 1 });
    vendor.script({ status: 500 });
    const retried = await patient.chat.completions.create(chat);
    expect(retried.choices).toHaveLength(1);
    expect(vendor.requests).toHaveLength(2);
    vendor.script({ status: 400 });
    await failureOf(patient.chat.completions.create(chat));
    expect(vendor.requests).toHaveLength(3);
  });

  it('throws with our code when a stream breaks off in the middle', async () => {
    vendor.script({ fault: 'error', afterEvents: 3 });
    const stream = await client.chat.completions.create({ ...chat, stream: true });
    let text = '';
    const read = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    })();
    expect(await failureOf(read)).toMatchObject({ code: 'upstream_broke', type: 'server_error' });
    expect(text).toBe(VENDOR_WORDS.slice(0, 2).join(''));
  });

  it('closes the upstream when it aborts', async () => {
    vendor.script({ fault: 'stall', afterEvents: 2 });
    const stream = await client.chat.completions.create({ ...chat, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    stream.controller.abort();
    const leftAt = performance.now();
    expect((await vendor.requests[0]!.aborted) - leftAt).toBeLessThan(200);
    await door.untilFinished(1);
    expect(door.finished[0]).toMatchObject({ attempts: 1, usage: { output: 1n } });
  });
});
