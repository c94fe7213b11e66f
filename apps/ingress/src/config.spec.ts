import { readIngressConfig, workersFor } from './config';

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
