export { readIngressConfig, type IngressConfig } from './config';
export { startIngress, type RunningIngress } from './ingress';
export type { Engines } from './consults';
