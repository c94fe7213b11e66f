export { startAuth, type RunningAuth, type StartAuthOptions } from './auth';
export { readAuthConfig, type AuthConfig } from './config';
export type { MintedApiKey } from './keys/keys';
export type { MintRequest } from './keys/mint-request';
export { readOrDrawPepper } from './pepper';
