import { describePolicies } from './policies.suite';
import { describeIn, startProduct, type Product } from './product';

jest.setTimeout(180_000);

describeIn(['all-in-one', 'cluster'], 'policies do what their pages say', (mode) => {
  let product: Product;

  beforeAll(async () => {
    product = await startProduct(mode);
    if (mode === 'cluster') await product.consulting();
  });
  afterAll(() => product?.close());

  describePolicies(() => product);
});
