.PHONY: run test check bench deploy
run: ; cargo run --bin local
test: ; cargo test
check: ; .ci/run
bench: ; cargo bench --bench decode && cargo run --profile bench --example compare
deploy: ; sam build && sam deploy --parameter-overrides Commit=$$(git rev-parse --short=12 HEAD)
