import { hostAndPort, Replicas, resolveTarget } from './replicas';

describe('targets', () => {
  it.each([
    ['dns:///rate-limit:5103', { host: 'rate-limit', port: '5103' }],
    ['127.0.0.1:5103', { host: '127.0.0.1', port: '5103' }],
    ['dns:///[::1]:5103', { host: '::1', port: '5103' }],
  ])('reads %s', (target, expected) => expect(hostAndPort(target)).toEqual(expected));

  it.each(['http://a:1', 'rate-limit', 'dns:///a', 'a:b:5103', '', 'a b:1'])('refuses %p', (target) => {
    expect(() => hostAndPort(target)).toThrow(RangeError);
  });

  it('takes a unix socket as its own address', async () => {
    expect(await resolveTarget('unix:/run/a.sock')).toEqual(['unix:/run/a.sock']);
  });

  it('resolves an address to itself', async () => {
    expect(await resolveTarget('dns:///127.0.0.1:5103')).toEqual(['127.0.0.1:5103']);
    expect(await resolveTarget('dns:///[::1]:5103')).toEqual(['[::1]:5103']);
  });

  it('finds each of a list', async () => {
    const target = 'dns:///127.0.0.1:5103,127.0.0.2:5103,unix:/run/a.sock';
    expect(await resolveTarget(target)).toEqual(['127.0.0.1:5103', '127.0.0.2:5103', 'unix:/run/a.sock']);
    expect(() => hostAndPort('a,b:5103')).toThrow(RangeError);
  });
});

describe('Replicas', () => {
  afterEach(() => jest.useRealTimers());

  it('follows the addresses of a target, and keeps those it has while the name service is down', async () => {
    jest.useFakeTimers();
    let answer: () => Promise<string[]> = async () => ['a', 'b'];
    const retired: string[] = [];
    const made: string[] = [];
    const make = (address: string) => {
      made.push(address);
      return { address, retire: () => void retired.push(address) };
    };
    const replicas = new Replicas('dns:///service:1', make, () => answer());
    const now = () => [...replicas].map(({ address }) => address);
    await jest.advanceTimersByTimeAsync(0);
    expect(now()).toEqual(['a', 'b']);

    answer = async () => ['b', 'c'];
    await jest.advanceTimersByTimeAsync(10_000);
    expect(now()).toEqual(['b', 'c']);
    expect(retired).toEqual(['a']);

    answer = async () => Promise.reject(new Error('SERVFAIL'));
    await jest.advanceTimersByTimeAsync(10_000);
    expect(now()).toEqual(['b', 'c']);
    answer = async () => [];
    await jest.advanceTimersByTimeAsync(10_000);
    expect(now()).toEqual(['b', 'c']);

    replicas.close();
    expect(retired).toEqual(['a', 'b', 'c']);
    expect(made).toEqual(['a', 'b', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });
});
