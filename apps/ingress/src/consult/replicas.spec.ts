import { hostAndPort, Replicas, resolveTarget } from './replicas';

describe('targets', () => {
  it.each([
    ['dns:///rate-limit:5103', { host: 'rate-limit', port: '5103' }],
    ['127.0.0.1:5103', { host: '127.0.0.1', port: '5103' }],
    ['dns:///[::1]:5103', { host: '::1', port: '5103' }],
  ])('reads %s', (target, expected) => expect(hostAndPort(target)).toEqual(expected));

  it.each(['http://a:1', 'rate-limit', 'dns:///a', 'a:b:5103', '', 'a b:1', 'a:0', 'a:65536', 'dns:///a:70000'])(
    'refuses %p',
    (target) => {
      expect(() => hostAndPort(target)).toThrow(RangeError);
    },
  );

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

const fail = (address: string, error: unknown): never => {
  throw new Error(`nothing was made for ${address}`, { cause: error });
};

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
    const replicas = new Replicas('dns:///service:1', make, () => answer(), fail);
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

  it('makes the others when one cannot be made, says so, and tries it again at the next look-up', async () => {
    jest.useFakeTimers();
    let broken = true;
    const make = (address: string) => {
      if (broken && address === 'b') throw new RangeError('no such port');
      return { address, retire: () => {} };
    };
    const unmade: unknown[][] = [];
    const addresses = async () => ['a', 'b', 'c'];
    const replicas = new Replicas('dns:///service:1', make, addresses, (...what) => unmade.push(what));
    await jest.advanceTimersByTimeAsync(0);
    expect([...replicas].map(({ address }) => address)).toEqual(['a', 'c']);
    expect(unmade).toEqual([['b', new RangeError('no such port')]]);
    broken = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect([...replicas].map(({ address }) => address)).toEqual(['a', 'c', 'b']);
    expect(unmade).toHaveLength(1);
    replicas.close();
  });
});
