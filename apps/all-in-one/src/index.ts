export { startAllInOne, type RunningAllInOne } from './all-in-one';
