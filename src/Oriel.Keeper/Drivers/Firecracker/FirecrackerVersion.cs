using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Oriel.Keeper.Drivers.Firecracker.Api;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>A version of the VMM. What follows the third number (<c>-dev</c>, a build's name) does not count.</summary>
internal readonly record struct FirecrackerVersion(int Major, int Minor, int Patch) : IComparable<FirecrackerVersion>
{
    public static readonly FirecrackerVersion Oldest = new(1, 10, 0);

    /// <summary>The first that is too new.</summary>
    public static readonly FirecrackerVersion End = new(2, 0, 0);

    /// <param name="text"><c>1.10.1</c>, as the interface tells it; <c>v1.10.1</c> and <c>1.17.0-dev</c> too.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, out FirecrackerVersion version)
    {
        version = default;
        if (text is null || text.Length > 64)
        {
            return false;
        }

        var numbers = text.AsSpan(text.StartsWith('v') ? 1 : 0);
        var suffix = numbers.IndexOfAny('-', '+');
        numbers = suffix < 0 ? numbers : numbers[..suffix];
        Span<Range> parts = stackalloc Range[4];
        if (numbers.Split(parts, '.') != 3)
        {
            return false;
        }

        Span<int> values = stackalloc int[3];
        for (var i = 0; i < values.Length; i++)
        {
            if (!int.TryParse(numbers[parts[i]], NumberStyles.None, CultureInfo.InvariantCulture, out values[i]))
            {
                return false;
            }
        }

        version = new FirecrackerVersion(values[0], values[1], values[2]);
        return true;
    }

    /// <returns>Null, or why it cannot be used and what to do.</returns>
    public string? Refusal() =>
        this switch
        {
            _ when CompareTo(Oldest) < 0 =>
                $"Firecracker {this} is too old: Oriel needs {Oldest} or later, below {End}. Install a newer release, or start the server with --driver qemu.",
            _ when CompareTo(End) >= 0 =>
                $"Firecracker {this} is newer than what Oriel knows: it needs {Oldest} or later, below {End}. Install such a release, or start the server with --driver qemu.",
            _ => null,
        };

    public int CompareTo(FirecrackerVersion other) =>
        Major != other.Major ? Major.CompareTo(other.Major)
        : Minor != other.Minor ? Minor.CompareTo(other.Minor)
        : Patch.CompareTo(other.Patch);

    public override string ToString() => $"{Major}.{Minor}.{Patch}";
}

/// <summary>What this version's interface has beyond that of 1.10. Source: Firecracker's CHANGELOG.</summary>
/// <param name="NetworkOverrides">1.12: a restored machine may be given another tap.</param>
/// <param name="SparseFirstSnapshot">1.13: a diff snapshot of a machine whose writes are not tracked is what is in memory (mincore(2)). A
/// developer preview.</param>
/// <param name="VsockOverride">1.16: a restored machine may be given another vsock path.</param>
/// <param name="ClockRealtime">1.16: kvmclock can be moved on at restore.</param>
internal sealed record FirecrackerCapabilities(bool NetworkOverrides, bool SparseFirstSnapshot, bool VsockOverride, bool ClockRealtime)
{
    public static FirecrackerCapabilities Of(FirecrackerVersion version)
    {
        bool From(int minor) => version.CompareTo(new FirecrackerVersion(1, minor, 0)) >= 0;
        return new FirecrackerCapabilities(From(12), From(13), From(16), From(16));
    }
}
