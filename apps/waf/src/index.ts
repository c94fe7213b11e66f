export { readWafConfig, type WafConfig } from './config';
export { startWaf, type RunningWaf } from './waf';
