export { startAudit, type RunningAudit } from './audit';
export { readAuditConfig, type AuditConfig } from './config';
