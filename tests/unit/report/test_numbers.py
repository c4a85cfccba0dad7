from clairemap.report.numbers import count, hectares, hundredths, percent, points, signed


def test_numbers_read_well():
    assert (percent(0.1234), percent(None), points(0.5)) == ("12.3 %", "–", "50.0")
    assert (hundredths(0.00004), hundredths(0.0312), hundredths(None)) == ("0.00", "3.12", "–")
    assert (count(1234567), count(None)) == ("1\u202f234\u202f567", "–")
    assert (hectares(12.34), hectares(1234.5), hectares(None)) == ("12.3", "1\u202f234", "–")
    assert (signed(-1.5), signed(0.25)) == ("−1.50", "+0.25")
