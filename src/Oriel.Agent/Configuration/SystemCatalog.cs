namespace Oriel.Agent.Configuration;

/// <summary>Which time zones and keyboard layouts this guest has.</summary>
/// <param name="ZoneInfo">The directory of compiled time zones (tzfile(5)).</param>
/// <param name="KeyboardRules">The XKB list of layouts and variants.</param>
internal sealed record SystemCatalog(string ZoneInfo, string KeyboardRules)
{
    private const int MaxZoneLength = 64;

    public static SystemCatalog Default { get; } = new("/usr/share/zoneinfo", "/usr/share/X11/xkb/rules/evdev.lst");

    public bool HasTimeZone(string name)
    {
        if (
            name.Length is 0 or > MaxZoneLength
            || name.Split('/').Any(part => part.Length == 0 || !part.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '+'))
        )
        {
            return false;
        }

        var path = Path.Combine(ZoneInfo, name);
        if (!File.Exists(path))
        {
            return false;
        }

        Span<byte> magic = stackalloc byte[4];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.SequenceEqual("TZif"u8);
    }

    /// <summary>Whether the rules name the layout, and its variant when there is one.</summary>
    public bool HasLayout(KeyboardLayout layout)
    {
        var section = "";
        bool hasLayout = false,
            hasVariant = layout.Variant.Length == 0;
        foreach (var line in File.ReadLines(KeyboardRules))
        {
            if (line.StartsWith('!'))
            {
                section = line[1..].Trim();
                continue;
            }

            var fields = line.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries);
            if (section == "layout")
            {
                hasLayout |= fields.Length > 1 && fields[0] == layout.Layout;
            }
            else if (section == "variant")
            {
                hasVariant |= fields.Length > 1 && fields[0] == layout.Variant && fields[1] == layout.Layout + ":";
            }
        }

        return hasLayout && hasVariant;
    }
}

/// <summary>An XKB layout, <c>de</c>, or one with a variant, <c>de(nodeadkeys)</c>.</summary>
internal readonly record struct KeyboardLayout(string Layout, string Variant)
{
    public static KeyboardLayout? TryParse(string text)
    {
        var open = text.IndexOf('(');
        var (layout, variant) = open < 0 ? (text, "") : (text[..open], text[(open + 1)..]);
        if (open >= 0)
        {
            if (variant is not [_, .., ')'])
            {
                return null;
            }

            variant = variant[..^1];
        }

        return IsName(layout) && layout.Length > 0 && IsName(variant) ? new KeyboardLayout(layout, variant) : null;

        static bool IsName(string name) => name.Length <= 32 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
    }

    public override string ToString() => Variant.Length == 0 ? Layout : $"{Layout}({Variant})";
}
