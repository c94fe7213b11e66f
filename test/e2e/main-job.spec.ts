import { describeBadInput } from './bad-input.suite';
import { tapBus, type BusTap } from './bus-tap';
import { describeSecrets } from './secrets.suite';
import { chatOptions, describeChat } from './chat.suite';
import { startCollector, type Collector } from './collector';
import { describeLifecycle } from './lifecycle.suite';
import { describeIn, startProduct, type Product } from './product';
import { describeTokens } from './tokens.suite';
import { describeTrace } from './trace.suite';

jest.setTimeout(180_000);

describeIn(['all-in-one', 'cluster'], 'the product does its job', (mode) => {
  let product: Product;
  let collector: Collector;
  let tap: BusTap | undefined;

  beforeAll(async () => {
    collector = await startCollector();
    product = await startProduct(mode, {
      ...chatOptions,
      environment: { SALLYPORT_OTLP_URL: collector.url, SALLYPORT_TRACE_RATIO: '1', SALLYPORT_LOG_LEVEL: 'debug' },
    });
    tap = product.servers && (await tapBus(product.servers.nats.url));
  });
  afterAll(async () => {
    await tap?.close();
    await product?.close();
    await collector?.close();
  });

  describe('chat', () => describeChat(() => product));
  describe('the life of an API', () => describeLifecycle(() => product));
  describe('tokens', () => describeTokens(() => product));
  describe('the trace of a request', () =>
    describeTrace(
      () => product,
      () => collector,
    ));
  describe('bad input', () => describeBadInput(() => product));
  // Last, when everything that could leak a secret has been done.
  describe('secrets', () =>
    describeSecrets(
      () => product,
      () => tap,
    ));
});

describeIn(['all-in-one-remote'], 'the services joined by gRPC in one process', (mode) => {
  let product: Product;

  beforeAll(async () => {
    product = await startProduct(mode);
  });
  afterAll(() => product?.close());

  describe('the life of an API', () => describeLifecycle(() => product));
});
