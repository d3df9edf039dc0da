module gradus

go 1.19
