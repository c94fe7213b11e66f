import { ConfigError } from '@sallyport/platform';
import { readCatalogConfig } from './config';

describe('the configuration of the catalog', () => {
  it('has the doors of the table when nothing is set', () => {
    const { listen, areas, adminHosts } = readCatalogConfig({});
    expect(listen).toEqual({
      http: { host: '127.0.0.1', port: 8080 },
      grpc: { host: '127.0.0.1', port: 5101 },
      admin: null,
      health: { host: '127.0.0.1', port: 9401 },
    });
    expect(areas).toEqual({
      auth: 'http://127.0.0.1:8102',
      limits: 'http://127.0.0.1:8103',
      waf: 'http://127.0.0.1:8104',
      ai: 'http://127.0.0.1:8105',
      audit: 'http://127.0.0.1:8106',
      ingress: 'http://127.0.0.1:8100',
    });
    expect(adminHosts).toEqual([]);
  });

  it('takes areas on unix sockets and host names in any case', () => {
    const { areas, adminHosts } = readCatalogConfig({
      SALLYPORT_AUTH_ADMIN_URL: 'unix:/run/sallyport/auth',
      SALLYPORT_ADMIN_HOSTS: 'Admin.Example, catalog ,',
    });
    expect(areas.auth).toBe('unix:/run/sallyport/auth');
    expect(adminHosts).toEqual(['admin.example', 'catalog']);
  });

  it.each(['ftp://auth', 'http://auth/path', 'auth:8102', 'unix:relative'])(
    'names the variable that says %s',
    (value) => {
      expect(() => readCatalogConfig({ SALLYPORT_AUTH_ADMIN_URL: value })).toThrow(ConfigError);
      expect(() => readCatalogConfig({ SALLYPORT_AUTH_ADMIN_URL: value })).toThrow(/SALLYPORT_AUTH_ADMIN_URL/);
    },
  );
});
