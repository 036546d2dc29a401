using System.Text.RegularExpressions;
using Oriel.Protocol;

namespace Oriel.Server.Auth;

/// <summary>A User-Agent as people know it: browser, major version, system. Of anything else its beginning.</summary>
internal static partial class BrowserName
{
    /// <summary>Characters.</summary>
    public const int Longest = 60;

    /// <summary>No more of a header is looked at; browsers' own have up to 250 characters.</summary>
    private const int Read = 512;

    /// <summary>In this order, as most browsers also name those they look like.</summary>
    private static readonly (string Mark, string Name)[] Browsers =
    [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Version/", "Safari"),
    ];

    private static readonly (string Mark, string Name)[] Systems =
    [
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];

    public static string Of(string userAgent)
    {
        var text = ForeignWords.Of(userAgent, Read);
        foreach (var (mark, name) in Browsers)
        {
            var at = text.IndexOf(mark, StringComparison.Ordinal);
            if (at >= 0 && Major().Match(text, at + mark.Length) is { Success: true, Value: var version })
            {
                var system = Systems.FirstOrDefault(system => text.Contains(system.Mark, StringComparison.Ordinal)).Name;
                return system is null ? $"{name} {version}" : $"{name} {version}, {system}";
            }
        }

        return ForeignWords.Of(text, Longest);
    }

    [GeneratedRegex(@"\G\d{1,4}", RegexOptions.CultureInvariant)]
    private static partial Regex Major();
}
