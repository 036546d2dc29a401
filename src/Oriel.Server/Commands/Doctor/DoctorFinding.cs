namespace Oriel.Server.Commands.Doctor;

internal enum DoctorOutcome
{
    Ok,

    /// <summary>Something works worse, or not at all that Oriel can do without.</summary>
    Warn,

    /// <summary>No desktop can be made.</summary>
    Fail,
}

/// <param name="Seen">What was seen, not what was expected.</param>
/// <param name="Mend">What to do about it; null when nothing has to be done.</param>
internal sealed record DoctorFinding(string Name, DoctorOutcome Outcome, string Seen, string? Mend = null)
{
    public static DoctorFinding Ok(string name, string seen) => new(name, DoctorOutcome.Ok, seen);

    public static DoctorFinding Warn(string name, string seen, string mend) => new(name, DoctorOutcome.Warn, seen, mend);

    public static DoctorFinding Fail(string name, string seen, string mend) => new(name, DoctorOutcome.Fail, seen, mend);
}
