import { parentPort, workerData } from 'node:worker_threads';
import type { RuleSetText } from './rule-files';
import { tryRuleSet } from './trial';

void tryRuleSet(workerData as RuleSetText).then((tried) => parentPort!.postMessage(tried));
