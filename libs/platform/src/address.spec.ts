import { describeAddress } from './address';

describe('an address', () => {
  it.each([
    [{ host: '127.0.0.1', port: 8000 }, 'http://127.0.0.1:8000'],
    [{ host: '::1', port: 8000 }, 'http://[::1]:8000'],
    [{ path: '/run/sallyport/admin.sock' }, 'unix:/run/sallyport/admin.sock'],
  ])('is written as a URL: %#', (address, text) => expect(describeAddress(address)).toBe(text));
});
