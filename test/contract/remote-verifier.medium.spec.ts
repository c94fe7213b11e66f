import { randomBytes } from 'node:crypto';
import { LocalVerifier, Pepper, type Presented, type Verifier, type VerifierOutcome } from '@sallyport/identity';
import { presentedAt } from '../../libs/identity/src/test-issuer';
import { describeVerifier } from '../../libs/identity/src/verifier.suite';
import { systemClock } from '@sallyport/contracts';
import { VerificationModule, verificationServices } from '../../apps/auth/src/decide/verification.controller';
import { RemoteVerifier } from '../../apps/ingress/src/consult/remote-verifier';
import { answered, connected, consultRuntime, PATIENT_MS, serve } from './over-grpc';

async function reach(engine: LocalVerifier, clockFault: () => string | undefined = () => undefined) {
  const server = await serve(VerificationModule.over(engine, clockFault), verificationServices);
  const remote = new RemoteVerifier({ target: server.target, runtime: consultRuntime(), budgetMs: PATIENT_MS });
  await connected(remote);
  const verifier: Verifier = {
    verify: (presented, done) => remote.verify(presented, (outcome) => done(answered(outcome))),
  };
  const close = async (): Promise<void> => {
    await remote.close();
    await server.close();
  };
  return { remote, verifier, close };
}

describeVerifier('over a Decide stream', (engine) => reach(engine));

describe('a credential on a Decide stream', () => {
  const presented: Presented = { ...presentedAt('/orders'), kind: 'api-key', value: 'sp_live_of_this_test' };
  const principal = {
    tenant: 'acme',
    subject: 'shop',
    client: '',
    consumer: 'shop',
    actors: [],
    scopes: new Set<string>(),
    roles: [],
    credential: { kind: 'api-key', id: 'kid' },
    until: Date.now() + 60_000,
    models: [],
    quotas: [],
  };
  let engine: LocalVerifier;
  let verifier: Verifier;
  let close: () => Promise<void>;
  let inFull: jest.SpyInstance;
  let recall: jest.SpyInstance;

  beforeEach(async () => {
    engine = new LocalVerifier({ clock: systemClock, peppers: [new Pepper(1, randomBytes(32))] });
    inFull = jest.spyOn(engine, 'verify').mockImplementation((_, done) => done(principal));
    recall = jest.spyOn(engine, 'recall').mockReturnValue(principal);
    ({ verifier, close } = await reach(engine));
  });
  afterEach(() => close());

  const ask = (): Promise<VerifierOutcome> => new Promise((resolve) => verifier.verify(presented, resolve));

  it('travels in full once, then as its digest', async () => {
    for (let round = 0; round < 3; round++) expect(await ask()).toEqual(principal);
    expect([inFull.mock.calls.length, recall.mock.calls.length]).toEqual([1, 2]);
  });

  it('travels in full again when the service has forgotten it', async () => {
    await ask();
    recall.mockReturnValueOnce(undefined);
    expect(await ask()).toEqual(principal);
    expect(inFull).toHaveBeenCalledTimes(2);
  });

  it('is left to the stand-in of the ingress where the clock of the service is known to be wrong', async () => {
    await close();
    let fault: string | undefined = 'the clock is 600 s behind the others';
    const reached = await reach(engine, () => fault);
    close = reached.close;
    const heard = () => new Promise((resolve) => reached.remote.verify(presented, resolve));
    expect(await heard()).toBe('down');
    expect(inFull).not.toHaveBeenCalled();
    fault = undefined;
    expect(await heard()).toEqual(principal);
  });
});
