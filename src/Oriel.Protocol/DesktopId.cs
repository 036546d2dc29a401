using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Oriel.Protocol;

/// <summary>Names one desktop: <c>d-</c> and ten characters of [a-z2-7], random, never used twice.</summary>
public readonly record struct DesktopId : IParsable<DesktopId>
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    private readonly string? _value;

    private DesktopId(string value) => _value = value;

    public static DesktopId New() => new("d-" + RandomNumberGenerator.GetString(Alphabet, 10));

    public static DesktopId Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var id) ? id : throw new FormatException("A desktop id is d- and ten characters of a-z, 2-7.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out DesktopId result)
    {
        var ok = s is { Length: 12 } && s.StartsWith("d-", StringComparison.Ordinal) && !s.AsSpan(2).ContainsAnyExcept(Alphabet);
        result = ok ? new DesktopId(s!) : default;
        return ok;
    }

    public override string ToString() => _value ?? "";
}
