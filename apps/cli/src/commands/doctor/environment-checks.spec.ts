import { environmentNames, nodeVersion, plainText, secrets } from './environment-checks';

describe('doctor, of the environment', () => {
  it.each([
    ['v20.19.0', 'ok'],
    ['v22.1.0', 'ok'],
    ['v20.18.3', 'failed'],
    ['v18.20.0', 'failed'],
  ])('Node %s is %s', (version, state) => expect(nodeVersion(version).state).toBe(state));

  it.each([
    [{ SALLYPORT_ADMIN_TOKEN: 'changeme' }],
    [{ SALLYPORT_DATABASE_URL: 'postgres://sallyport:postgres@db/sallyport' }],
    [{ SALLYPORT_REDIS_URL: 'redis://:password@redis:6379' }],
  ])('names the variable of a secret everybody knows, and not the secret: %j', (environment) => {
    const finding = secrets(environment);
    const [[name, value]] = Object.entries(environment) as [[string, string]];
    expect(finding.state).toBe('failed');
    expect(finding.summary).toContain(name);
    expect(finding.summary).not.toContain(value);
  });

  it('accepts secrets that were drawn, and URLs without one', () => {
    const environment = {
      SALLYPORT_ADMIN_TOKEN: 'kX8s0pQvV1m3n5b7c9d1f3g5',
      SALLYPORT_DATABASE_URL: 'postgres://db/x',
    };
    expect(secrets(environment).state).toBe('ok');
  });

  it('finds a misspelt variable, and the one it may mean', () => {
    expect(environmentNames({ SALLYPORT_DATA_DIRR: './data', HOME: '/' })).toEqual({
      id: 'environment',
      state: 'failed',
      summary: 'unknown variable SALLYPORT_DATA_DIRR',
      fix: 'it may mean SALLYPORT_DATA_DIR',
    });
  });

  it('warns of a token that crosses a network in clear, not on this host and not under TLS', () => {
    const states = (url: string) => plainText({ door: { url: new URL(url) }, token: 'x' }).map(({ state }) => state);
    expect(states('http://gateway.example.com:8080')).toEqual(['attention']);
    expect(states('https://gateway.example.com')).toEqual([]);
    expect(states('http://127.0.0.1:8080')).toEqual([]);
    expect(states('http://[::1]:8080')).toEqual([]);
    expect(plainText({ door: { socket: '/run/host' } })).toEqual([]);
  });
});
