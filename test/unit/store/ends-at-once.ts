// A writer thread that dies of its first request.
import { parentPort } from 'node:worker_threads';

parentPort?.once('message', () => process.exit(3));
