import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JournalError } from '../../src/core/errors.ts';
import { fileSystemOf, mountName, refuseNetwork } from '../../src/journal/file-system.ts';
import { aDirectory } from './harness.ts';

const FUSE = 0x65735546;

describe('refuseNetwork()', () => {
  it.each([
    ['NFS', { type: 0x6969 }],
    ['CIFS', { type: 0xff534d42 }],
    ['CIFS', { type: 0xff534d42 | 0 }],
    ['SMB', { type: 0xfe534d42 }],
    ['9p', { type: 0x01021997 }],
    ['Ceph', { type: 0x00c36400 }],
    ['Lustre', { type: 0x0bd00bd0 }],
    ['GPFS', { type: 0x47504653 }],
    ['AFS', { type: 0x5346414f }],
    ['sshfs', { type: FUSE, name: 'fuse.sshfs' }],
    ['glusterfs', { type: FUSE, name: 'fuse.glusterfs' }],
    ['s3fs', { type: FUSE, name: 'fuse.s3fs' }],
  ])('K9: refuses %s, with what to do', (kind, fileSystem) => {
    const refuse = () => refuseNetwork('/var/lib/relay', fileSystem);
    expect(refuse).toThrow(JournalError);
    expect(refuse).toThrow(
      `the state directory /var/lib/relay is on a network file system (${kind}), where locks cannot be trusted`,
    );
    expect(refuse).toThrow(/Set state\.directory to a folder on a disk of this machine/);
  });

  it.each([
    ['ext4', { type: 0xef53 }],
    ['xfs', { type: 0x58465342 }],
    ['btrfs', { type: 0x9123683e }],
    ['tmpfs', { type: 0x01021994 }],
    ['overlay', { type: 0x794c7630 }],
    ['zfs', { type: 0x2fc12fc1 }],
    ['an encrypted folder by FUSE', { type: FUSE, name: 'fuse.gocryptfs' }],
    ['the overlay of a rootless container', { type: FUSE, name: 'fuse.fuse-overlayfs' }],
    ['a folder that the host shares with its virtual machine', { type: FUSE, name: 'virtiofs' }],
    ['FUSE of which no more is known', { type: FUSE }],
  ])('takes %s', (_, fileSystem) => {
    refuseNetwork('/var/lib/relay', fileSystem);
  });

  it('is asked of the real file system', () => {
    using directory = aDirectory();
    mkdirSync(directory.state);
    refuseNetwork(directory.state, fileSystemOf(directory.state));
  });
});

describe('mountName()', () => {
  const info = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '30 22 0:25 / /mnt rw - tmpfs tmpfs rw',
    '31 30 0:26 / /mnt/state rw,nosuid shared:5 master:2 - fuse.sshfs user@host: rw,user_id=0',
    '32 30 0:27 / /mnt/with\\040blank rw - fuse.rclone remote: rw',
    '33 22 0:28 / /twice rw - ext4 /dev/sdb rw',
    '34 22 0:29 / /twice rw - fuse.s3fs bucket rw',
    '',
  ].join('\n');

  it.each([
    ['/mnt/state', 'fuse.sshfs'],
    ['/mnt/state/deep/er', 'fuse.sshfs'],
    ['/mnt/states', 'tmpfs'],
    ['/mnt/with blank/x', 'fuse.rclone'],
    ['/twice/x', 'fuse.s3fs'],
    ['/var/lib/relay', 'ext4'],
  ])('of %s is %s', (path, name) => {
    expect(mountName(info, path)).toBe(name);
  });

  it('is not known where nothing is mounted', () => {
    expect(mountName('', '/x')).toBeUndefined();
  });
});
