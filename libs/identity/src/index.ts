export {
  mintApiKey,
  parseApiKey,
  Pepper,
  pepperBytes,
  readPepper,
  type KeyEnvironment,
  type MintedKey,
} from './api-key';
export { parseAddressRange, isWithin, type AddressRange } from './address-range';
export { takeCredential, type Credential } from './credential';
export type { FetchJwks } from './jwks';
export { KeyDirectory, stalenessBound } from './key-directory';
export { digestOf, LocalVerifier, type LocalVerifierPorts, type PresentedContext } from './local-verifier';
export * from './verifier';
