import { ConfigError } from '@sallyport/platform';
import { readAuthConfig } from './config';

const environment = { SALLYPORT_PEPPER: 'ab'.repeat(32) };

describe('the config of auth', () => {
  it('opens its three private listeners on loopback by default', () => {
    expect(readAuthConfig(environment)).toMatchObject({
      listen: {
        grpc: { host: '127.0.0.1', port: 5102 },
        admin: { host: '127.0.0.1', port: 8102 },
        health: { host: '127.0.0.1', port: 9402 },
      },
      adminToken: undefined,
    });
  });

  it.each([
    ['SALLYPORT_PEPPER', {}],
    ['SALLYPORT_PEPPER', { SALLYPORT_PEPPER: 'changeme' }],
    ['SALLYPORT_PEPPER', { SALLYPORT_PEPPER: 'ab'.repeat(31) }],
    ['SALLYPORT_ADMIN_TOKEN', { ...environment, SALLYPORT_ADMIN_TOKEN: 'changeme-changeme-changeme' }],
    ['SALLYPORT_ADMIN_TOKEN', { ...environment, SALLYPORT_ADMIN_TOKEN: 'short' }],
  ])('S8 names %s when it is %j, and never its value', (variable, given) => {
    let error: unknown;
    try {
      readAuthConfig(given);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ variable });
    for (const value of Object.values(given)) expect((error as Error).message).not.toContain(value);
  });
});
