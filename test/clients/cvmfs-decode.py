#!/usr/bin/env python3
"""Decodes a CVMFS repository that lies in a directory, with the standard library and openssl alone, and prints what it
found as JSON. Shares no code with the programs under test: it was written from the description of the format.

usage: cvmfs-decode.py DIRECTORY NAME      (DIRECTORY/master.pub is the key to trust)"""
import hashlib, json, os, sqlite3, stat, struct, subprocess, sys, tempfile, zlib

base, name = sys.argv[1], sys.argv[2]
problems = []
work = tempfile.TemporaryDirectory()


def digest(data, like):
    if like.endswith('-shake128'):
        return hashlib.shake_128(data).hexdigest(20) + '-shake128'
    return hashlib.sha1(data).hexdigest()


def read(path):
    with open(os.path.join(base, path), 'rb') as file:
        return file.read()


def raw_object(text, suffix=''):
    data = read('data/%s/%s%s' % (text[:2], text[2:], suffix))
    if digest(data, text) != text:
        problems.append('object %s has other bytes' % text)
    return data


def openssl(arguments, data):
    done = subprocess.run(['openssl'] + arguments, input=data, capture_output=True)
    return done.stdout if done.returncode == 0 else None


def split(data):
    head, rest = data.split(b'--\n', 1)
    text, signature = rest.split(b'\n', 1)
    if digest(head, text.decode()) != text.decode():
        problems.append('the hash below a signed text is wrong')
    return head.decode(), text, signature


def in_file(data):
    file = tempfile.NamedTemporaryFile(dir=work.name, delete=False)
    file.write(data)
    file.close()
    return file.name


# The whitelist: the signature is the text of the hash itself, without a digest around it.
head, text, signature = split(read('.cvmfswhitelist'))
recovered = openssl(['pkeyutl', '-verifyrecover', '-pubin', '-inkey', os.path.join(base, 'master.pub'),
                     '-pkeyopt', 'rsa_padding_mode:pkcs1'], signature)
if recovered != text:
    problems.append('the whitelist is not signed by the master key')
fingerprints = [line.split(' ')[0] for line in head.split('\n')[3:] if line]

# The manifest: RSA with SHA-1 over the text of the hash.
head, text, signature = split(read('.cvmfspublished'))
manifest = {line[0]: line[1:] for line in head.split('\n') if line}
pem = zlib.decompress(raw_object(manifest['X'], 'X'))
der = openssl(['x509', '-outform', 'DER'], pem)
printed = digest(der, manifest['X'])
expected = ':'.join(printed[i:i + 2].upper() for i in range(0, 40, 2)) + printed[40:].upper()
if expected not in fingerprints:
    problems.append('the whitelist does not list the certificate')
public = openssl(['x509', '-pubkey', '-noout'], pem)
if openssl(['dgst', '-sha1', '-verify', in_file(public), '-signature', in_file(signature)], text) is None:
    problems.append('the manifest is not signed by the certificate')
if manifest['N'] != name:
    problems.append('the manifest is of another repository')
reflog = read('.cvmfsreflog')
if digest(reflog, manifest['Y']) != manifest['Y']:
    problems.append('the reflog is not that of the manifest')

KINDS = {stat.S_IFDIR: 'directory', stat.S_IFREG: 'file', stat.S_IFLNK: 'symlink', stat.S_IFIFO: 'fifo',
         stat.S_IFCHR: 'character', stat.S_IFBLK: 'block', stat.S_IFSOCK: 'socket'}
found = []


def halves(path):
    return struct.unpack('<qq', hashlib.md5(path.encode()).digest())


def catalog(text, prefix):
    data = zlib.decompress(raw_object(text, 'C'))
    db = sqlite3.connect(in_file(data))
    properties = dict(db.execute('select key, value from properties'))
    if properties['schema'] != '2.5' or properties.get('root_prefix', '') != prefix:
        problems.append('properties of the catalogue of %s' % prefix)
    nested = {row[0]: row[1:] for row in db.execute('select path, sha1, size from nested_catalogs')}
    counted = dict.fromkeys(['regular', 'symlink', 'special', 'dir', 'chunked', 'xattr', 'file_size'], 0)
    rows = db.execute('select md5path_1, md5path_2, parent_1, parent_2, hardlinks, hash, size, mode, mtime, flags,'
                      ' name, symlink, xattr from catalog').fetchall()
    below = {}
    for row in rows:
        below.setdefault(row[2:4], []).append(row)

    def visit(row, path):
        one, two, _, _, links, digest_, size, mode, mtime, flags, _, target, xattr = row
        if (one, two) != halves(path):
            problems.append('%s is filed under another path' % path)
        kind = KINDS[stat.S_IFMT(mode)]
        algorithm = '-shake128' if (flags >> 8) & 7 == 2 else ''
        unpack = zlib.decompress if (flags >> 11) & 7 == 0 else bytes
        entry = {'path': path, 'kind': kind, 'mode': stat.S_IMODE(mode), 'mtime': mtime}
        if kind == 'file':
            if flags & 64:
                content, end = b'', 0
                for offset, length, part in db.execute('select offset, size, hash from chunks where md5path_1 = ? and'
                                                       ' md5path_2 = ? order by offset', (one, two)):
                    if offset != end:
                        problems.append('%s has a gap' % path)
                    end = offset + length
                    content += unpack(raw_object(part.hex() + algorithm, 'P'))
            else:
                content = unpack(raw_object(digest_.hex() + algorithm))
            if len(content) != size:
                problems.append('%s has %d bytes instead of %d' % (path, len(content), size))
            entry.update(text=content[:40].decode('latin1'), size=size)
            if links >> 32:
                entry['links'] = links & 0xffffffff
        if kind == 'symlink':
            entry['target'] = target
        if kind in ('character', 'block'):
            entry['device'] = size
        if xattr:
            at, pairs = 2, {}
            for _ in range(xattr[1]):
                key, value = xattr[at], xattr[at + 1]
                pairs[xattr[at + 2:at + 2 + key].decode()] = xattr[at + 2 + key:at + 2 + key + value].decode()
                at += 2 + key + value
            entry['xattrs'] = pairs
        counted['dir' if kind == 'directory' else 'symlink' if kind == 'symlink' else
                'regular' if kind == 'file' else 'special'] += 1
        counted['file_size'] += size if kind == 'file' else 0
        counted['chunked'] += 1 if flags & 64 else 0
        counted['xattr'] += 1 if xattr else 0
        # A mount point stands in two catalogues and is told once.
        if path != '' and not flags & 2:
            found.append(entry)
        if kind == 'directory':
            children = [] if flags & 2 else [r for r in below.get((one, two), []) if r[10] != '']
            if not flags & 2 and (links & 0xffffffff) != 2 + sum(1 for r in children if r[9] & 1):
                problems.append('%s has %d links' % (path, links))
            for child in children:
                visit(child, path + '/' + child[10])
            if flags & 2:
                catalog(nested[path][0], path)

    top = [row for row in rows if row[0:2] == halves(prefix)]
    visit(top[0], prefix)
    said = dict(db.execute('select counter, value from statistics'))
    if len(said) != 24:
        problems.append('%d counters instead of 24' % len(said))
    for counter, value in counted.items():
        if said['self_' + counter] != value:
            problems.append('%s: self_%s is %s instead of %s' % (prefix, counter, said['self_' + counter], value))


catalog(manifest['C'], '')
history = sqlite3.connect(in_file(zlib.decompress(raw_object(manifest['H'], 'H'))))
tags = dict(history.execute('select name, hash from tags'))
if tags.get('trunk') != manifest['C'] or history.execute('select count(*) from branches').fetchone() != (1,):
    problems.append('the history is not right')
print(json.dumps({'problems': problems, 'entries': found, 'tags': tags, 'revision': int(manifest['S'])}))
