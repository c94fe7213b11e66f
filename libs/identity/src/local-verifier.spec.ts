import { describeVerifier } from './verifier.suite';

describeVerifier('the engine itself', async (engine) => ({ verifier: engine, close: async () => undefined }));
