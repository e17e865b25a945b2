import { describe, expect, it } from 'vitest';
import { clean, createEncoder, shorten, shortenBytes } from '../../../src/formats/cef/escape.ts';

const { header, value } = createEncoder({ equals: 'escape', pipe: 'escape' });

describe('createEncoder()', () => {
  it.each([
    ['a|b=c\\d', 'a\\|b=c\\\\d', 'a|b\\=c\\\\d'],
    ['C:\\new\\', 'C:\\\\new\\\\ ', 'C:\\\\new\\\\'],
    ['x\ny', 'x y', 'x\\ny'],
    ['x\r\ny', 'x y', 'x\\ny'],
    ['x\ry', 'x y', 'x\\ry'],
    ['\\n', '\\\\n', '\\\\n'],
    ['\\=', '\\\\=', '\\\\\\='],
    ['x\nsrc=1.2.3.4', 'x src=1.2.3.4', 'x\\nsrc\\=1.2.3.4'],
    ['plain', 'plain', 'plain'],
  ])('S6: writes %j as CEF does', (given, inHeader, inValue) => {
    expect(header(clean(given))).toBe(inHeader);
    expect(value(clean(given))).toBe(inValue);
  });

  it('S16: replaces what lenient receivers trip over', () => {
    const lenient = createEncoder({ equals: 'replace', pipe: 'replace' });
    expect(lenient.value('tid=1|2\\')).toBe('tid\uff1d1|2\\\\');
    expect(lenient.header('a|b=c')).toBe('a¦b=c');
  });
});

describe('clean()', () => {
  it.each([
    ['NUL, tab, escape and C1', 'a\0b\tc\x1bd\x9fe', 'a b c d e'],
    ['DEL', 'a\x7fb', 'a b'],
    ['NEL and the separators', 'a\u0085b\u2028c\u2029d', 'a b c d'],
    ['lone surrogates', 'a\ud800b\udc00c', 'a\ufffdb\ufffdc'],
    ['a pair', '😀', '😀'],
    ['blanks and line breaks round it', ' \r\n a b \n', 'a b'],
    ['right-to-left marks', '\u202eexe.fdp', '\u202eexe.fdp'],
  ])('carries %s', (_, given, expected) => {
    expect(clean(given)).toBe(expected);
  });
});

describe('shorten()', () => {
  it('counts code points and cuts on one', () => {
    expect(shorten('😀😀😀', 3)).toEqual({ text: '😀😀😀', cut: false });
    expect(shorten('😀😀😀😀', 3)).toEqual({ text: '😀😀…', cut: true });
  });

  it('marks even a text that is blank where it was cut', () => {
    expect(shorten(`a${' '.repeat(100)}b`, 10)).toEqual({ text: 'a…', cut: true });
  });

  it('sees a text behind a megabyte of blanks', () => {
    expect(shorten(`${' '.repeat(1_000_000)}x`, 3)).toEqual({ text: 'x', cut: false });
  });
});

describe('shortenBytes()', () => {
  it('counts bytes as they stand in the line', () => {
    expect(shortenBytes('==========', 9, value)).toBe('===…');
    expect(shortenBytes('ééééé', 8, value)).toBe('éé…');
  });
});
