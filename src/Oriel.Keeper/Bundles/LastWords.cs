namespace Oriel.Keeper.Bundles;

/// <summary>What went wrong, on standard error: the server's ear while the keeper starts, then <c>keeper.log</c>.</summary>
internal static class LastWords
{
    /// <summary>Writes it, or loses it: neither a full disk nor a server that went away may be what the keeper ends of.</summary>
    /// <param name="exception">Of the host's doing it is the message alone that helps whoever reads it; anything else is a fault of
    /// ours.</param>
    public static void Write(Exception exception)
    {
        try
        {
            Console.Error.WriteLine(
                exception is IOException or UnauthorizedAccessException or InvalidDataException ? exception.Message : exception.ToString()
            );
        }
        catch (IOException)
        {
            // Of a start that failed the last event tells as well.
        }
    }
}
