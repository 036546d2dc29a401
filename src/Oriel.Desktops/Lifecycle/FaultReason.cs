using Microsoft.Data.Sqlite;
using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>Tells a full disk, which the owner of the server can mend, from the fault that it caused.</summary>
internal static class FaultReason
{
    private const int SqliteFull = 13;

    /// <summary><see cref="ReasonCodes.DiskFull"/> where that is what is meant, else <paramref name="code"/>.</summary>
    public static string Of(Exception fault, string code) =>
        fault.GetBaseException() is SqliteException { SqliteErrorCode: SqliteFull } ? ReasonCodes.DiskFull : OfWords(fault.Message, code);

    /// <summary>
    /// The same of what another process said; the words are the C library's for ENOSPC, which our own programs write in small letters.
    /// </summary>
    public static string OfWords(string? said, string code) =>
        said?.Contains("No space left on device", StringComparison.OrdinalIgnoreCase) == true ? ReasonCodes.DiskFull : code;
}
