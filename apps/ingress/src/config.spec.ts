import { readIngressConfig, workersFor } from './config';

describe('the targets of an ingress', () => {
  const places = ['AUTH', 'RATE_LIMIT', 'WAF', 'AI_ROUTER', 'CATALOG'].map((word) => `SALLYPORT_${word}_GRPC_URL`);
  const read = (name: string, target: string) => readIngressConfig({ SALLYPORT_PEPPER: 'x', [name]: target });

  it.each(places)('of %s are refused by its name when nothing can be connected to there', (name) => {
    for (const target of ['dns:///host:70000', 'host:0', 'host', 'dns:///a:1,b:65536', 'http://host:1'])
      expect(() => read(name, target)).toThrow(`${name} `);
    for (const target of ['dns:///host:65535', 'host:1', 'unix:/run/a.sock', 'dns:///a:1,[::1]:2'])
      expect(() => read(name, target)).not.toThrow();
  });
});

describe('the workers of an ingress', () => {
  it('are one on two processors, and two where there are more', () => {
    expect([1, 2, 3, 64].map(workersFor)).toEqual([1, 1, 2, 2]);
  });

  it('are as many as are asked for, from none to 64', () => {
    const read = (workers: string) =>
      readIngressConfig({ SALLYPORT_PEPPER: 'x', SALLYPORT_INGRESS_WORKERS: workers }).workers;
    expect(['0', '1', '64'].map(read)).toEqual([0, 1, 64]);
    expect(() => read('65')).toThrow('expected a number of workers from 0 to 64');
    expect(() => read('-1')).toThrow('SALLYPORT_INGRESS_WORKERS');
  });
});
