// The process that becomes a container's: started by spawn.ts, it reads its plan, carries it out and turns into the
// image's program by execve. From the first operation on it touches no file through Node, whose other threads stay in
// the namespaces it came from. A file of its own, without anything it does not need: its start is the container's.
import { readFileSync, writeSync } from 'node:fs';
import { SystemCallError } from '../kernel.ts';
import { type Context, newContext } from './context.ts';
import { mountOperations } from './mount-operations.ts';
import { namespaceOperations } from './namespace-operations.ts';
import type { Operation } from './operation.ts';
import { processOperations } from './process-operations.ts';
import { CONTAINER_FD, ORDER_FD, type Order, type Report, STARTER_FD } from './report.ts';
import { rightsOperations } from './rights-operations.ts';

const OPERATIONS = { ...namespaceOperations, ...mountOperations, ...processOperations, ...rightsOperations };

/** The handlers' table is complete by its type; what TypeScript cannot see is that a name and its operation belong together. */
function carryOut(context: Context, operation: Operation): void {
  const handler = OPERATIONS[operation.do] as (context: Context, operation: Operation) => void;
  handler(context, operation);
}

function failure(index: number, error: unknown): Report {
  if (error instanceof SystemCallError) return { failed: { index, call: error.call, errno: error.errno } };
  const note = error instanceof Error ? error.message : String(error);
  return { failed: { index, call: '', errno: 0, note } };
}

const report = (line: Report): void => void writeSync(STARTER_FD, `${JSON.stringify(line)}\n`);
const { plan } = JSON.parse(readFileSync(ORDER_FD, 'utf8')) as Order;
const context = newContext(STARTER_FD, CONTAINER_FD, report);
let index = 0;
try {
  for (; index < plan.length; index++) carryOut(context, plan[index] as Operation);
} catch (error) {
  report(failure(index, error));
}
// Reached by a failure only. Node's own way out would run code of Node's.
context.call('exit_group', 1);
