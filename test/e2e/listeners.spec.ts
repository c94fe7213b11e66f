import { freePorts, TestCertificates } from '@sallyport/testkit';
import { describeListeners, listenersOf, makeListenerCertificates } from './listeners.suite';
import { describeIn, startProduct, type Product } from './product';

jest.setTimeout(180_000);

if (!TestCertificates.available()) {
  describe.skip('the listeners (skipped: openssl is not installed)', () => it('is not looked at', () => undefined));
} else {
  describeIn(['all-in-one', 'cluster'], 'the listeners', (mode) => {
    let product: Product;
    let certificates: TestCertificates;
    let ports: readonly number[];

    beforeAll(async () => {
      certificates = makeListenerCertificates();
      ports = await freePorts(2);
      product = await startProduct(mode, { listeners: (plain) => listenersOf(certificates, plain, ports) });
    });
    afterAll(async () => {
      await product?.close();
      certificates?.remove();
    });

    describeListeners(
      () => product,
      () => certificates,
      () => ports,
    );
  });
}
