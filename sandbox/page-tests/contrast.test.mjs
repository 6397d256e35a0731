// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const AA = 4.5;
const css = readFileSync(new URL("../src/page/style.css", import.meta.url), "utf8");

function colour(name, isDark) {
  const [, light, dark] = new RegExp(`--${name}: light-dark\\((#[0-9a-f]+), (#[0-9a-f]+)\\)`).exec(css);
  return [1, 3, 5].map((at) => parseInt((isDark ? dark : light).slice(at, at + 2), 16) / 255);
}

/** Relative luminance and contrast as WCAG 2.2 defines them. */
const luminance = (rgb) => rgb.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

for (const isDark of [false, true]) {
  for (const ink of ["ink", "ink-2", "ink-3", "accent", "good", "bad"]) {
    for (const ground of ["paper", "side", "raised", "sunken", "hover"]) {
      test(`${ink} can be read on ${ground} in the ${isDark ? "dark" : "light"} theme`, () => {
        const found = contrast(colour(ink, isDark), colour(ground, isDark));
        assert.ok(found >= AA, `${found.toFixed(2)} is below ${AA}`);
      });
    }
  }
}

test("the formula gives the known ends", () => {
  assert.equal(Math.round(contrast([0, 0, 0], [1, 1, 1])), 21);
  assert.equal(contrast([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]), 1);
});
