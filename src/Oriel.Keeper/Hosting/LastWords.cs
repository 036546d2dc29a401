namespace Oriel.Keeper.Hosting;

/// <summary>What went wrong, on standard error: the server's ear while the keeper starts, then <c>keeper.log</c>.</summary>
internal static class LastWords
{
    /// <summary>Writes it, or loses it: neither a full disk nor a server that went away may be what the keeper ends of.</summary>
    public static void Write(Exception exception)
    {
        try
        {
            Console.Error.WriteLine(exception);
        }
        catch (IOException)
        {
            // Of a start that failed the last event tells as well.
        }
    }
}
