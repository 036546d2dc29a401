using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// Judges a page as it is laid out: nothing sticks out, all text can be read (WCAG 2.2, 1.4.3), and what has the focus shows it.
/// </summary>
internal static class Looks
{
    private const string Find = """
          const parentOf = node => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host ?? null;
          const all = (root, found = []) => {
            for (const node of root.querySelectorAll('*')) { found.push(node); if (node.shadowRoot) all(node.shadowRoot, found); }
            return found;
          };
          const called = node => `${node.localName}${node.dataset?.testid ? '[' + node.dataset.testid + ']' : ''}${node.className && typeof node.className === 'string' ? '.' + node.className.trim().replace(/ +/g, '.') : ''}`;
        """;

    private const string Faults =
        "() => {"
        + Find
        + """
              const faults = [];
              const wide = document.scrollingElement;
              if (wide.scrollWidth > innerWidth) faults.push(`the page is ${wide.scrollWidth} wide in a window of ${innerWidth}`);
              const visible = node => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && node.getBoundingClientRect().width > 1;
              const scrolled = node => { for (let at = parentOf(node); at; at = parentOf(at)) if (getComputedStyle(at).overflowX !== 'visible') return true; return false; };
              const number = text => {
                const parts = text.match(/[\d.]+/g).map(Number), scale = text.startsWith('color(') ? 255 : 1;
                return [parts[0] * scale, parts[1] * scale, parts[2] * scale, parts[3] ?? 1];
              };
              const over = (upper, lower) => [0, 1, 2].map(i => upper[i] * upper[3] + lower[i] * (1 - upper[3])).concat(1);
              const behind = node => {
                const layers = [];
                for (let at = node; at; at = parentOf(at)) {
                  const colour = number(getComputedStyle(at).backgroundColor);
                  if (colour[3] > 0) layers.push(colour);
                  if (colour[3] === 1) break;
                }
                return layers.reverse().reduce((lower, upper) => over(upper, lower), number(getComputedStyle(document.body).backgroundColor));
              };
              const light = colour => {
                const [r, g, b] = colour.slice(0, 3).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              for (const node of all(document.body)) {
                if (!visible(node)) continue;
                const box = node.getBoundingClientRect(), style = getComputedStyle(node);
                if (box.right > innerWidth + 1 && !scrolled(node)) faults.push(`${called(node)} ends at ${Math.round(box.right)}`);
                const says = [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data.trim()).join(' ').trim();
                if (!says || node.disabled || node.closest('svg, style, script, option')) continue;
                const paper = behind(node), ink = over(number(style.color), paper);
                const [bright, dark] = [light(ink), light(paper)].sort((a, b) => b - a), contrast = (bright + 0.05) / (dark + 0.05);
                const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
                if (contrast < (large ? 3 : 4.5)) faults.push(`“${says.slice(0, 40)}” in ${called(node)} has a contrast of ${contrast.toFixed(2)}`);
              }
              return [...new Set(faults)];
            }
            """;

    private const string FocusedPart =
        "() => {"
        + Find
        + """
              let node = document.activeElement;
              while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
              const drawn = (style, name) => style[name + 'Style'] !== 'none' && parseFloat(style[name + 'Width']) > 0;
              const ring = node?.parentNode?.querySelector?.('.ring');
              const shown = node && (drawn(getComputedStyle(node), 'outline') || drawn(getComputedStyle(node, '::after'), 'outline')
                || (ring && !/, 0\)$/.test(getComputedStyle(ring).borderTopColor))
                || (node.parentElement?.localName === 'label' && drawn(getComputedStyle(node.parentElement), 'outline')));
              return [node?.dataset?.testid ?? '', node ? called(node) : 'nothing', shown ? 'shown' : 'unseen'];
            }
            """;

    /// <summary>What sticks out or cannot be read.</summary>
    public static Task<string[]> FaultsAsync(IPage page) => page.EvaluateAsync<string[]>(Faults);

    /// <summary>How much of the page has jumped by itself since it was opened (Layout Instability: below 0.1 is good).</summary>
    public static Task<double> JumpsAsync(IPage page) =>
        page.EvaluateAsync<double>(
            """
            () => new Promise(done => {
              const told = entries => done(entries.filter(entry => !entry.hadRecentInput).reduce((sum, entry) => sum + entry.value, 0));
              new PerformanceObserver((list, observer) => { observer.disconnect(); told(list.getEntries()); }).observe({ type: 'layout-shift', buffered: true });
              setTimeout(() => told([]), 300);
            })
            """
        );

    /// <summary>What has the focus: its test id, its name, and whether it is seen to have it.</summary>
    public static async Task<(string TestId, string Name, bool Shown)> FocusAsync(IPage page) =>
        await page.EvaluateAsync<string[]>(FocusedPart) is var part ? (part[0], part[1], part[2] == "shown") : default;

    /// <summary>Presses Tab until the part has the focus; each stop on the way must show it.</summary>
    public static async Task TabToAsync(IPage page, string testId)
    {
        var stops = new List<string>();
        for (var i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            var (at, name, shown) = await FocusAsync(page);
            stops.Add(name);
            Assert.True(shown || name.StartsWith("body", StringComparison.Ordinal), $"nobody sees that {name} has the focus");
            if (at == testId)
            {
                return;
            }
        }

        Assert.Fail($"Tab does not lead to {testId}, but to {string.Join(", ", stops)}");
    }
}
