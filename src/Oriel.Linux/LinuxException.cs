using System.Runtime.InteropServices;
using Oriel.Linux.Calls;

namespace Oriel.Linux;

/// <summary>
/// A system call failed; names the call, what it was about, and the error: <c>mount proc on /proc: EPERM (operation not permitted)</c>.
/// </summary>
public sealed class LinuxException(string call, int errno, string? subject = null)
    : IOException($"{call}{(subject is null ? "" : $" {subject}")}: {NameOf(errno)} ({TextOf(errno)})")
{
    public string Call { get; } = call;

    public int Errno { get; } = errno;

    /// <summary>For the last P/Invoke with SetLastError of this thread.</summary>
    internal static LinuxException Last(string call, string? subject = null) => new(call, Marshal.GetLastPInvokeError(), subject);

    /// <summary>For a call that returns -1 and sets errno when it fails.</summary>
    /// <returns>The call's result.</returns>
    internal static int ThrowIfNegative(int result, string call, string? subject = null) =>
        result >= 0 ? result : throw Last(call, subject);

    /// <summary>For a call that returns an errno and does not set it.</summary>
    internal static void ThrowIfError(int errno, string call, string? subject = null)
    {
        if (errno != 0)
        {
            throw new LinuxException(call, errno, subject);
        }
    }

    private static string NameOf(int errno) => Marshal.PtrToStringUTF8(ErrorCalls.NameOf(errno)) ?? $"errno {errno}";

    private static string TextOf(int errno)
    {
        var text = Marshal.GetPInvokeErrorMessage(errno);
        return text.Length == 0 ? text : char.ToLowerInvariant(text[0]) + text[1..];
    }
}
