import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/** Names a lease holder: the machine, the process on it, and one request of that process. */
export function newHolder(): string {
  return `${machine()}:${process.pid}:${startOf(process.pid) ?? ''}:${randomBytes(12).toString('base64url')}`;
}

/**
 * Whether the holder's process is known to be dead: it ran on this machine, in this process namespace, and no longer does. A frozen
 * process is not dead. A process elsewhere never is, as far as this one can tell.
 */
export function isDead(holder: string): boolean {
  const [where, pid, start] = holder.split(':');
  if (where !== machine() || !Number(pid)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // Not permitted to signal it means that it lives.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const running = startOf(Number(pid));
  // The number has been given to another process since. A zombie has ended, though it has not been waited for.
  return running !== undefined && running !== start;
}

let known: string | undefined;

/** The same for two processes only if a process number means the same to both. */
function machine(): string {
  return (known ??= createHash('sha256').update(namespaceOf()).digest('base64url').slice(0, 12));
}

function namespaceOf(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Elsewhere nothing tells two machines or containers apart for certain: every process is its own.
    return randomBytes(16).toString('hex');
  }
}

/** When a process started, in ticks since the machine did; `undefined` where that cannot be read, empty for a zombie. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command's name in parentheses, which may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return undefined;
  }
}
